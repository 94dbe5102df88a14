"""The agent's interval of a percentile, and what it says when something fails."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

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
