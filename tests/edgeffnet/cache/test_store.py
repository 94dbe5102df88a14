"""Entries are whole or not there, used only as they were put there, and never in two hands at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeffnet.cache.store import Cache
from edgeffnet.errors import ArtifactError, UsageError
from tests.conftest import Run


class Maker:
    """Writes `size` bytes, and counts how often."""

    def __init__(self, size: int = 8) -> None:
        self.size = size
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "model").write_bytes(b"x" * self.size)


def content(cache: Cache, maker: Callable[[Path], None], made_from: str = "a") -> bytes:
    with cache.entry("model", {"from": made_from}, maker) as place:
        return (place / "deep" / "model").read_bytes()


def test_what_is_there_is_not_made_again_and_other_things_are(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path), Maker()
    assert content(cache, maker) == content(cache, maker) == b"x" * 8
    assert maker.times == 1
    content(cache, maker, "b")
    assert maker.times == 2
    assert [one.kind for one in cache.entries()] == ["model", "model"]


def spoil(place: Path, how: str) -> None:
    model = place / "deep" / "model"
    if how == "changed":
        model.write_bytes(b"y" * 8)
    elif how == "cut":
        model.write_bytes(b"x")
    elif how == "gone":
        model.unlink()
    elif how == "added":
        (place / "more").write_bytes(b"")
    else:
        (place / "entry.json").write_text({"no list": "{}", "no JSON": "{", "deep": "[" * 100_000}[how])


@pytest.mark.parametrize("how", ["changed", "cut", "gone", "added", "no list", "no JSON", "deep"])
def test_a_damaged_entry_is_made_anew_and_never_used(tmp_path: Path, how: str) -> None:
    cache, maker = Cache(tmp_path), Maker()
    content(cache, maker)
    spoil(tmp_path / cache.entries()[0].key, how)
    assert content(cache, maker) == b"x" * 8
    assert maker.times == 2
    content(cache, maker)
    assert maker.times == 2


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache, maker = Cache(tmp_path), Maker()

    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise ArtifactError("no")

    with pytest.raises(ArtifactError):
        content(cache, fail)
    assert cache.entries() == ()
    assert content(cache, maker) == b"x" * 8


PROGRAM = """
import sys, time
from pathlib import Path
from edgeffnet.cache.store import Cache
folder, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def make(place):
    with log.open("a") as file:
        file.write("made\\n")
    (place / "deep").mkdir()
    (place / "deep" / "model").write_bytes(b"x" * 4)
    time.sleep(seconds)
    (place / "deep" / "model").write_bytes(b"x" * 8)
with Cache(folder).entry("model", {"from": "a"}, make) as place:
    print((place / "deep" / "model").read_text(), flush=True)
"""


def started(tmp_path: Path, seconds: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "cache"), str(tmp_path / "log"), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_two_processes_make_one_thing_once(tmp_path: Path) -> None:
    both = [started(tmp_path, 0.3) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == ["x" * 8] * 2
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_killed_process_leaves_no_entry_and_no_lock(tmp_path: Path) -> None:
    process = started(tmp_path, 600)
    try:
        while not (tmp_path / "log").exists():
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    cache, maker = Cache(tmp_path / "cache"), Maker()
    assert cache.entries() == ()
    assert content(cache, maker) == b"x" * 8
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")] == []


def test_the_longest_unused_goes_first_and_what_is_in_use_stays(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=2_500)
    for name, age in (("old", 300), ("older", 400), ("used", 500)):
        content(cache, Maker(700), name)
        newest = max((tmp_path / one.key for one in cache.entries()), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (time.time() - age, time.time() - age))
    with cache.entry("model", {"from": "used"}, Maker(700)):
        content(cache, Maker(700), "new")
    kept = Maker(700)
    content(cache, kept, "used")
    content(cache, kept, "new")
    assert kept.times == 0
    content(cache, kept, "older")
    assert kept.times == 1
    assert sum(one.bytes for one in cache.entries()) <= 2_500


def test_where_nothing_can_be_kept_things_are_made_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache, maker = Cache(tmp_path / "file"), Maker()
    assert content(cache, maker) == content(cache, maker) == b"x" * 8
    assert maker.times == 2
    with pytest.raises(UsageError, match="EDGEFFNET_CACHE"):
        cache.path("model", {}, maker)


def test_the_command_shows_and_clears(tmp_path: Path, run: Run) -> None:
    there = {"EDGEFFNET_CACHE": str(tmp_path), "EDGEFFNET_CACHE_LIMIT": "1GB"}
    content(Cache(tmp_path / "steps"), Maker(3_000_000))
    shown = run("cache", environment=there)
    assert shown.returncode == 0, shown.stderr
    assert "3.0 MB of 1,000 MB" in shown.stdout
    assert "freed 3.0 MB" in run("cache", "clear", environment=there).stdout
    assert '"entries": []' in run("cache", "--json", environment=there).stdout
    wrong = run("cache", environment={**there, "EDGEFFNET_CACHE_LIMIT": "much"})
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "EDGEFFNET_CACHE_LIMIT" in wrong.stderr
