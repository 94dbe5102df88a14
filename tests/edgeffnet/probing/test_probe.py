"""Probes: stand-ins that have the real artefact's operators, measured for as long as it takes to tell."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from edgeffnet import scaling, stand_ins
from edgeffnet.cache.store import Cache
from edgeffnet.images import Preprocessing
from edgeffnet.probing.probe import probe, sequential
from edgeffnet.stand_ins import PLAIN, Manner
from edgeffnet.targets.local import LocalTarget
from edgeffnet.timing import Latency

TINY = scaling.architecture_at(-4, family="lite", rule="tinynet")
PLAN = ((1.0, 1.0), (0.01, 3.0), (0.01, 3.0), (0.01, 6.0))


def looked(value: float, half: float, runs: int = 50) -> Latency:
    numbers = dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", "mean_ms", "max_ms", "first_ms", "load_ms"), value)
    return Latency(
        on="board",
        runtime="LiteRT",
        threads=1,
        percentile=90,
        value_ms=value,
        low_ms=value - half,
        high_ms=value + half,
        tight=True,
        deviation_ms=half,
        outliers=0,
        throughput_per_second=1e3 / value,
        runs=runs,
        warm_up_runs=10,
        memory_bytes=0,
        affinity=(0,),
        placement={},
        **numbers,
    )


@pytest.mark.parametrize(
    ("limit", "looks", "certain"), [(10.0, 1, True), (20.0, 1, True), (16.0, 2, True), (15.1, 4, False)]
)
def test_it_looks_again_only_while_the_limit_is_within_the_error(limit: float, looks: int, certain: bool) -> None:
    halves = iter((0.8, 0.05, 0.05, 0.02))
    asked = []

    def look(tolerance: float, seconds: float) -> Latency:
        asked.append((tolerance, seconds))
        return looked(15.0, next(halves))

    found, sure = sequential(look, limit, PLAN)
    assert (len(found), sure) == (looks, certain)
    assert asked == list(PLAN[:looks])


def test_one_disturbed_look_does_not_decide() -> None:
    """A budget of 15.7 ms, a network that takes 15.0 ms, and a look during which others computed."""
    values = iter((15.1, 17.0, 15.0, 15.05))
    found, sure = sequential(lambda *_: looked(next(values), 0.1), 15.7, PLAN)
    assert sure and len(found) == 3
    assert median(look.value_ms for look in found) == 15.1


@pytest.mark.parametrize(("limit", "looks"), [(14.0, 2), (10.0, 1)])
def test_a_network_is_not_ruled_out_by_one_look_that_others_may_have_slowed(limit: float, looks: int) -> None:
    found, sure = sequential(lambda *_: looked(15.0, 0.05), limit, PLAN)
    assert (len(found), sure) == (looks, True)


def test_what_was_slow_throughout_its_first_look_is_found_to_fit() -> None:
    values = iter((17.0, 12.9, 13.0, 13.1))
    found, sure = sequential(lambda *_: looked(next(values), 0.05), 14.0, PLAN)
    assert sure and median(look.value_ms for look in found) < 14.0


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stand-ins")


def operators(path: Path) -> list[str]:
    from ai_edge_litert.interpreter import Interpreter

    return [operator["op_name"] for operator in Interpreter(str(path))._get_ops_details()]


def test_a_stand_in_is_made_once_and_taken_from_the_cache(cache: Path) -> None:
    first = stand_ins.make(TINY, cache=cache)
    bytes_ = {precision: artifact.path.read_bytes() for precision, artifact in first.items()}
    times = {artifact.path: artifact.path.stat().st_mtime_ns for artifact in first.values()}
    again = stand_ins.make(TINY, cache=cache)
    assert {artifact.path: artifact.path.stat().st_mtime_ns for artifact in again.values()} == times
    assert [one.key for one in Cache(cache).entries()] == [first["int8"].path.parent.name]
    assert len(bytes_["int8"]) < 0.5 * len(bytes_["fp32"])


def test_what_time_depends_on_makes_another_stand_in(cache: Path) -> None:
    plain = stand_ins.make(TINY, cache=cache)["int8"].path
    inside = Preprocessing(TINY.resolution, 0.875, "bicubic", (123.0, 117.0, 104.0), (58.0, 57.0, 57.0))
    for manner in (Manner(interface="int8"), Manner(inside=inside)):
        other = stand_ins.make(TINY, manner, cache=cache)["int8"].path
        assert other != plain
        assert operators(other) != operators(plain) or manner.interface == "int8"
    assert operators(stand_ins.make(TINY, Manner(interface="int8"), cache=cache)["int8"].path)[-1] != "SOFTMAX"


def test_it_runs_and_is_integer_inside(cache: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    artifact = stand_ins.make(TINY, cache=cache)["int8"]
    interpreter = Interpreter(str(artifact.path))
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    assert entry["dtype"] == np.uint8
    _, image = stand_ins.contract(TINY, PLAIN)
    interpreter.set_tensor(entry["index"], image)
    interpreter.invoke()
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert scores.shape == (1, 1000) and scores.sum() == pytest.approx(1, abs=1e-3)


def test_a_probe_far_from_its_limit_takes_the_shortest_look(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    with closing(LocalTarget()) as here:
        found = probe(TINY, PLAIN, here, limit_ms=10_000, threads=1, percentile=90)
    assert found.fits and found.certain
    assert 0 < found.ms < 10_000
    assert found.latency.kind == "measured"
    assert found.to_dict()["fits"] is True
