"""Builds killed at any moment: nothing damaged, nothing left, and the next one goes on to the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from edgeffnet.bundle import manifest
from edgeffnet.cache.store import Cache
from tests.conftest import command

BUILD = ("build", "--phi=-5", "--weights", "random", "--classes", "4", "--recipe", "fast", "--formats", "tflite")
KILLS = int(os.environ.get("EDGEFFNET_KILLS", "10"))


def started(folder: Path, cache: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command([*BUILD, "--output", folder / "out"]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "EDGEFFNET_CACHE": str(cache)},
        start_new_session=True,
    )


def built(folder: Path, cache: Path) -> tuple[dict[str, str], float]:
    """The hashes of a build's files, reports left out, and the seconds it took."""
    begun = time.monotonic()
    process = started(folder, cache)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert manifest.differences(folder / "out") == {}
    files = json.loads((folder / "out" / "manifest.json").read_text())["files"]
    hashes = {name: entry["sha256"] for name, entry in files.items() if not name.startswith("report")}
    return hashes, time.monotonic() - begun


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


def test_builds_at_the_same_time_make_the_same_as_one_after_another(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    alone, _ = built(folders[0], tmp_path / "other-cache")
    together = [started(folder, tmp_path / "cache") for folder in folders[1:]]
    for process in together:
        _, said = process.communicate()
        assert process.returncode == 0, said
    for folder in folders[1:]:
        files = json.loads((folder / "out" / "manifest.json").read_text())["files"]
        assert {name: files[name]["sha256"] for name in alone} == alone
