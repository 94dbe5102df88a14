"""Builds killed at any moment: nothing damaged, nothing left, and the next one goes on to the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from edgeffnet.bundle import manifest
from edgeffnet.cache.store import Cache
from tests.conftest import command

BUILD = ("build", "--phi=-5", "--weights", "random", "--classes", "4", "--recipe", "fast", "--formats", "tflite")
PER_TENSOR = ("--granularity", "tensor")
KILLS = int(os.environ.get("EDGEFFNET_KILLS", "10"))


def started(folder: Path, cache: Path, words: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command([*BUILD, *words, "--output", folder / "out"]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "EDGEFFNET_CACHE": str(cache)},
        start_new_session=True,
    )


def built(folder: Path, cache: Path, words: Sequence[str] = ()) -> tuple[dict[str, str], float]:
    """The hashes of a build's files, reports left out, and the seconds it took."""
    begun = time.monotonic()
    process = started(folder, cache, words)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return hashes(folder), time.monotonic() - begun


def hashes(folder: Path) -> dict[str, str]:
    """Of a bundle's files, each as its manifest says; reports left out."""
    assert manifest.differences(folder / "out") == {}
    files = json.loads((folder / "out" / "manifest.json").read_text())["files"]
    return {name: entry["sha256"] for name, entry in files.items() if not name.startswith("report")}


def test_builds_killed_at_random_moments_damage_nothing(tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    expected, seconds = built(tmp_path / "whole", tmp_path / "other-cache")
    moments, cache = random.Random(0), tmp_path / "cache"
    for _ in range(KILLS):
        process = started(tmp_path / "killed", cache)
        time.sleep(moments.uniform(0, seconds))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if (tmp_path / "killed" / "out").exists():
            assert manifest.differences(tmp_path / "killed" / "out") == {}
        assert "damaged" not in {one.kind for one in Cache(cache / "steps").entries()}
    found, _ = built(tmp_path / "killed", cache)
    assert found == expected
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["out"]
    assert not list((cache / "steps").glob(".partial-*"))


def test_four_builds_at_once_of_overlapping_work_make_the_same_as_one_after_another(tmp_path: Path) -> None:
    """Two of the same, and two that share the float model and the calibration with them."""
    kinds: dict[str, tuple[str, ...]] = {"first": (), "second": (), "integer": ("--io", "int8"), "tensor": PER_TENSOR}
    for name in (*kinds, *(f"{name} alone" for name in kinds)):
        (tmp_path / name).mkdir()
    alone = {
        name: built(tmp_path / f"{name} alone", tmp_path / "other-cache", words)[0] for name, words in kinds.items()
    }
    together = [started(tmp_path / name, tmp_path / "cache", words) for name, words in kinds.items()]
    for process in together:
        _, said = process.communicate()
        assert process.returncode == 0, said
    for name in kinds:
        assert hashes(tmp_path / name) == alone[name]
    assert alone["first"] == alone["second"] != alone["integer"]
    assert not list((tmp_path / "cache" / "steps").glob(".partial-*"))
    assert "damaged" not in {one.kind for one in Cache(tmp_path / "cache" / "steps").entries()}
