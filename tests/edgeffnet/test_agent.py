"""The agent's interval of a percentile, and what it says when something fails."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from edgeffnet.targets import agent
from edgeffnet.targets.agent import percentile_interval


def test_percentile_interval_covers_the_true_percentile() -> None:
    generator = np.random.default_rng(1)
    true = float(np.quantile(generator.lognormal(size=1_000_000), 0.9))
    inside = []
    for _ in range(400):
        low, high = percentile_interval(generator.lognormal(size=400).tolist(), 90)
        inside.append(low <= true <= high)
    assert np.mean(inside) >= 0.93


def test_percentile_interval_narrows_with_more_runs() -> None:
    generator = np.random.default_rng(2)
    few, many = (percentile_interval(generator.normal(10, 1, n).tolist(), 50) for n in (50, 5000))
    assert many[1] - many[0] < (few[1] - few[0]) / 3


def serve(folder: Path, *requests: dict[str, object]) -> tuple[int, list[dict[str, object]]]:
    job = folder / "job.json"
    job.write_text(json.dumps({"requests": requests}))
    done = subprocess.run([sys.executable, agent.__file__, str(job)], capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_hello_says_what_the_machine_is_and_ends_with_done(tmp_path: Path) -> None:
    code, events = serve(tmp_path, {"do": "hello"})
    assert code == 0
    assert events[-1] == {"event": "done"}
    assert events[0]["result"]["cores"] >= 1


@pytest.mark.parametrize("format_", ["tflite", "openvino", "onnx"])
def test_a_model_that_is_none_ends_in_one_error_event(tmp_path: Path, format_: str) -> None:
    broken = tmp_path / "model.bin"
    broken.write_bytes(b"not a model")
    request = {"do": "load", "name": "m", "path": str(broken), "format": format_}
    code, events = serve(tmp_path, request)
    assert code == 1
    assert events[-1]["event"] == "error"


def test_operators_that_fell_out_of_the_delegate_are_counted() -> None:
    def node(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, object]:
        return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}

    details = [
        node(0, "CONV_2D", [0, 10], [1]),
        node(1, "CUSTOM", [1], [2]),
        node(2, "CONV_2D", [2, 11], [3]),
        node(3, "ADD", [3, 1], [4]),
        node(4, "DELEGATE", [0, 10], [1]),
        node(5, "DELEGATE", [2, 11, 1], [4]),
    ]
    found = agent._tflite_placement(details)
    assert (found["operators"], found["fast"], found["partitions"]) == (4, 3, 2)
    assert found["fell_out"] == {"CUSTOM": 1}


def test_the_agent_is_python_3_8() -> None:
    ast.parse(Path(agent.__file__).read_text(), feature_version=(3, 8))


def talk(*messages: bytes, silence: float | None = None) -> tuple[int, list[dict[str, object]]]:
    """What a serving agent answers to bytes on its input, which then closes."""
    done = subprocess.run(
        [sys.executable, agent.__file__, "serve"], input=b"".join(messages), capture_output=True, timeout=silence or 30
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def message(**request: object) -> bytes:
    return json.dumps(request).encode() + b"\n"


def test_a_file_that_arrives_damaged_is_refused_there(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"whole").hexdigest()
    file = {"key": "a" * 32, "name": "model.tflite", "sha256": digest, "offset": 0, "size": 5}
    code, events = talk(
        message(do="open", cache=str(tmp_path)),
        message(do="put", **file) + b"whale",
        message(do="have", key="a" * 32, name="model.tflite", sha256=digest),
        message(do="put", **file) + b"whole",
        message(do="have", key="a" * 32, name="model.tflite", sha256=digest),
    )
    assert code == 0
    refused, after, accepted, whole = events[2:]
    assert refused["event"] == "error"
    assert "corrupt" in str(refused["message"])
    assert after["result"] == {"path": f"{tmp_path}/files/{'a' * 32}/model.tflite", "bytes": 0, "whole": False}
    assert accepted["event"] == "answer"
    assert whole["result"]["whole"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.c", "model", ".ssh", "a.b\n", ""])
def test_a_name_that_leaves_the_cache_is_refused(tmp_path: Path, name: str) -> None:
    file = {"key": "a" * 32, "name": name, "sha256": "0" * 64, "offset": 0, "size": 3}
    _, events = talk(message(do="open", cache=str(tmp_path)), message(do="put", **file) + b"abc", message(do="machine"))
    assert "not a name of the cache" in str(events[2]["message"])
    assert events[3]["event"] == "answer"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_of_someone_else_is_not_written_in(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    _, events = talk(message(do="open", cache=str(tmp_path / "link")))
    assert "belongs to someone else" in str(events[1]["message"])
    assert not list(real.iterdir())


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """The files by which a board tells its state, as the kernel lays them out."""
    core = max(os.sched_getaffinity(0))
    write(tmp_path, f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq", "1800000")
    write(tmp_path, f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor", "ondemand")
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "gpu-thermal")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "81000")
    write(tmp_path, "sys/class/thermal/thermal_zone1/type", "cpu-thermal")
    write(tmp_path, "sys/class/thermal/thermal_zone1/temp", "48200")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_a_boards_state_is_read_where_the_kernel_tells_it(board: Path) -> None:
    found = agent.conditions(str(board))
    assert (found["frequency_mhz"], found["governor"]) == (1800.0, "ondemand")
    assert found["temperature_c"] == 48.2
    assert found["throttled"] is None


def test_a_machine_that_tells_nothing_is_not_guessed(tmp_path: Path) -> None:
    found = agent.conditions(str(tmp_path))
    known = {name for name, value in found.items() if value is not None}
    assert known == {"load_average"}


@pytest.mark.parametrize(
    ("name", "calm", "throttled"),
    [
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50000", "50005"),
        ("sys/class/thermal/cooling_device0/cur_state", "0", "2"),
    ],
    ids=["Raspberry Pi", "cooling device"],
)
def test_throttling_is_seen(board: Path, name: str, calm: str, throttled: str) -> None:
    write(board, "sys/class/thermal/cooling_device0/type", "cpufreq-cpu0")
    write(board, name, calm)
    assert agent.conditions(str(board))["throttled"] is False
    watch = agent.Watch(str(board))
    watch.sample()
    assert not [said for said in watch.summary()["warnings"] if "throttled" in said]
    write(board, name, throttled)
    assert [said for said in watch.summary()["warnings"] if "throttled" in said]


def test_throttling_between_two_looks_is_counted(board: Path) -> None:
    count = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    write(board, count, "7")
    watch = agent.Watch(str(board))
    write(board, count, "8")
    assert [said for said in watch.summary()["warnings"] if "throttled" in said]


def test_a_clock_that_moves_is_said(board: Path) -> None:
    core = max(os.sched_getaffinity(0))
    clock = f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq"
    watch = agent.Watch(str(board))
    watch.sample()
    write(board, clock, "1790000")
    watch.sample()
    assert not [said for said in watch.summary()["warnings"] if "clock" in said]
    write(board, clock, "600000")
    watch.sample()
    summary = watch.summary()
    assert any("between 600 and 1800 MHz" in said for said in summary["warnings"])
    assert summary["during"]["frequency_mhz"] == [600.0, 1800.0]


class Paced(agent.Model):
    """Takes a millisecond, and fifty now and then; notes its turns."""

    turns: ClassVar[list[str]] = []

    def __init__(self, path: str, threads: int) -> None:
        self.name, self.runtime, self.dtype = path, "paced", np.dtype(np.uint8)
        self.threads, self.count = threads, 0

    def feed(self, array: np.ndarray[Any, Any]) -> None:
        assert array.shape == (1, 4, 4, 3)

    def invoke(self) -> None:
        self.count += 1
        self.turns.append(self.name)
        time.sleep(0.05 if self.count % 40 == 0 else 0.001)


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> agent.Agent:
    """An agent that holds two such models, a and b, on a machine of its own, whatever this one is."""
    monkeypatch.setattr(agent, "shares_its_cores", lambda: False)
    monkeypatch.setitem(agent.FORMATS, "paced", Paced)
    monkeypatch.setattr(Paced, "turns", [])
    np.savez_compressed(tmp_path / "image.npz", pixels=np.zeros((1, 4, 4, 3), np.uint8))
    made = agent.Agent(lambda _event: None)
    for name in ("a", "b"):
        made.load(name, name, "paced")
    return made


def timed(made: agent.Agent, folder: Path, **given: float) -> dict[str, Any]:
    bounds = {"percentile": 90, "tolerance": 0.0, "max_seconds": 2.0, "max_runs": 10_000, **given}
    inputs = [str(folder / "image.npz")] * 2
    return made.latency(["a", "b"], inputs, [0.0] * 3, [1.0] * 3, **bounds)  # type: ignore[arg-type]


def test_models_take_turns_so_that_a_drifting_clock_meets_both(paced: agent.Agent, tmp_path: Path) -> None:
    timed(paced, tmp_path)
    blocks = [name for name, _ in groupby(Paced.turns)]
    # Each warms up, then they alternate.
    assert len(blocks) >= 6
    assert blocks == ["a", "b"] * (len(blocks) // 2)


def test_outliers_are_counted_and_stay_in_every_figure(paced: agent.Agent, tmp_path: Path) -> None:
    found = timed(paced, tmp_path, max_runs=200)["models"]["a"]
    assert found["runs"] == 200
    assert found["outliers"] >= 5
    assert found["max_ms"] >= 50
    assert found["mean_ms"] > found["p50_ms"]
    assert not found["tight"]


def test_a_cap_that_is_reached_is_said(paced: agent.Agent, tmp_path: Path) -> None:
    assert timed(paced, tmp_path, tolerance=1e-9)["models"]["b"]["tight"] is False
    assert timed(paced, tmp_path, tolerance=1e9)["models"]["b"]["tight"] is True


class Slowed(Paced):
    """Takes a millisecond; four where a neighbour slows the machine."""

    slow: ClassVar[Callable[[], bool]] = staticmethod(lambda: False)

    def invoke(self) -> None:
        self.turns.append(self.name)
        time.sleep(0.004 if Slowed.slow() else 0.001)


@pytest.fixture
def slowed(monkeypatch: pytest.MonkeyPatch, paced: agent.Agent) -> Callable[[Callable[[float], bool]], agent.Agent]:
    """The agent on a virtual machine that is slow when `when` says so, by the seconds since then."""

    def at(when: Callable[[float], bool]) -> agent.Agent:
        start = time.perf_counter()
        monkeypatch.setattr(Slowed, "slow", staticmethod(lambda: when(time.perf_counter() - start)))
        monkeypatch.setattr(agent, "pace", lambda: 2.0 if Slowed.slow() else 1.0)
        monkeypatch.setattr(agent, "shares_its_cores", lambda: True)
        monkeypatch.setattr(agent, "_busy_seconds", lambda: None)  # what else this machine does
        monkeypatch.setitem(agent.FORMATS, "paced", Slowed)
        for name in ("a", "b"):
            paced.load(name, name, "paced")
        return paced

    return at


def test_each_turn_has_a_median_of_its_own(
    slowed: Callable[[Callable[[float], bool]], agent.Agent], tmp_path: Path
) -> None:
    made = slowed(lambda seconds: seconds % 2 < 1)
    found = timed(made, tmp_path, until_tight=False, min_runs=1, min_seconds=1.5, turn_seconds=0.05, max_seconds=20)
    turns = found["turns_ms"]
    assert len(turns["a"]) == len(turns["b"]) >= 25
    slow = sum(ms > 3 for ms in turns["a"])
    assert 5 <= slow <= len(turns["a"]) - 5
    # Neighbours in time are alike, whichever of the two paces the machine had.
    assert sum(0.7 < a / b < 1.4 for a, b in zip(turns["a"], turns["b"], strict=True)) > 0.8 * len(turns["a"])


def test_what_a_virtual_machines_neighbours_slowed_is_left_out_and_said(
    slowed: Callable[[Callable[[float], bool]], agent.Agent], tmp_path: Path
) -> None:
    found = timed(slowed(lambda seconds: seconds % 1 < 0.3), tmp_path, max_seconds=4.0)
    for name in ("a", "b"):
        assert found["models"][name]["value_ms"] < 3
    assert 0.03 < found["during"]["left_out"] < 0.4
    assert found["during"]["pace_ms"] == [1.0, 1.0]


def test_a_machine_that_is_slow_throughout_leaves_nothing_out(
    slowed: Callable[[Callable[[float], bool]], agent.Agent], tmp_path: Path
) -> None:
    found = timed(slowed(lambda seconds: seconds > 0.2), tmp_path, max_seconds=0.5)
    assert found["models"]["a"]["p50_ms"] > 3
    assert found["during"]["left_out"] == 0
    assert found["during"]["pace_ms"] == [1.0, 2.0]


def test_a_pace_that_a_machine_seldom_has_is_not_its_own(
    slowed: Callable[[Callable[[float], bool]], agent.Agent], tmp_path: Path
) -> None:
    found = timed(slowed(lambda seconds: seconds % 1 > 0.3), tmp_path, max_seconds=2.0)
    for name in ("a", "b"):
        assert found["models"][name]["value_ms"] > 3
    assert found["during"]["left_out"] == 0


def test_of_one_model_nothing_is_left_out_that_another_has_to_keep(
    slowed: Callable[[Callable[[float], bool]], agent.Agent], tmp_path: Path
) -> None:
    found = timed(slowed(lambda seconds: seconds % 1 < 0.4 or Paced.turns[-1:] == ["b"]), tmp_path, max_seconds=1.0)
    assert found["models"]["b"]["p50_ms"] > 3
    assert found["models"]["a"]["max_ms"] > 3
    assert found["during"]["left_out"] == 0


def test_a_slowed_machine_is_waited_for_until_enough_was_undisturbed(
    slowed: Callable[[Callable[[float], bool]], agent.Agent], tmp_path: Path
) -> None:
    found = timed(slowed(lambda seconds: 0.2 < seconds < 1.8), tmp_path, max_seconds=1.4)
    assert found["models"]["a"]["p50_ms"] < 3
    assert found["during"]["left_out"] > 0.1


def test_a_protocol_of_fixed_counts_keeps_every_inference(
    slowed: Callable[[Callable[[float], bool]], agent.Agent], tmp_path: Path
) -> None:
    made = slowed(lambda seconds: seconds % 1 < 0.4)
    found = timed(made, tmp_path, until_tight=False, min_runs=300, max_seconds=20)
    assert found["models"]["a"]["max_ms"] > 3
    assert found["during"]["left_out"] == 0
