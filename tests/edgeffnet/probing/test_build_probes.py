"""The search in a build: probes on this machine decide, and the report says what they were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run

SMALL = ("build", "--phi", "any", "--weights", "random", "--formats", "tflite", "--recipe", "fast", "--threads", "1")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def test_where_nothing_fits_the_smallest_was_measured_and_is_named(run: Run, tmp_path: Path) -> None:
    done = run(*SMALL, "--max-latency", "1us", "--max-macs", "60M", "--output", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert "the smallest" in done.stderr and "p90 measured" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_largest_is_probed_made_measured_and_chosen(run: Run, tmp_path: Path) -> None:
    """rpi4's profile proposes for this machine, which is far faster: told, rescaled, and a profile offered."""
    output = tmp_path / "out"
    done = run(
        *(*SMALL, "--device", "rpi4", "--target", "local", "--max-latency", "1s", "--max-macs", "60M"),
        *("--output", output, "--json"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    names = [candidate["name"] for candidate in report["candidates"]]
    within = [candidate["name"] for candidate in report["candidates"] if candidate["macs"] <= 60e6]
    assert report["chosen"]["name"] == within[0] and len(within) > 3 and len(names) > len(within)
    assert report["chosen"]["latency"]["kind"] == "measured"
    (probe,) = report["probes"]
    assert (probe["name"], probe["fits"], probe["latency"]["kind"]) == (within[0], True, "measured")
    others = [candidate for candidate in report["candidates"] if candidate["name"] in within[1:]]
    assert {candidate["latency"]["kind"] for candidate in others} == {"estimated"}
    assert all("scaled by what" in candidate["latency"]["notes"][0] for candidate in others)
    notes = " ".join(report["notes"])
    assert "faster than the profile rpi4 says" in notes and "edgeffnet profile --target local" in notes
