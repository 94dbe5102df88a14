"""An audit that is killed goes on, and its memory does not grow with its images."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edgeffnet import imagesets
from edgeffnet.audit import models
from edgeffnet.audit.audit import work_folder
from edgeffnet.audit.decoding import Shard, shard_size
from edgeffnet.audit.journal import Journal
from edgeffnet.audit.models import Named, Pair
from edgeffnet.audit.predictions import Advance, Answer, Predictor
from edgeffnet.audit.run import KEPT, run
from edgeffnet.audit.scoring import Feed
from edgeffnet.imagesets import ImageSet
from edgeffnet.targets.local import LocalTarget
from tests.conftest import Run, command
from tests.edgeffnet.audit import colours
from tests.edgeffnet.audit.test_audit_command import PLAIN, Case

PER_CLASS = 60
SHARD = shard_size(colours.SIDE)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return imagesets.read(colours.pictures(tmp_path_factory.mktemp("pictures"), PER_CLASS), colours.NAMES)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    int8 = colours.tflite(tmp_path / "int8.tflite", colours.weights(0.06))
    reference = colours.tflite(tmp_path / "fp32.tflite", colours.weights())
    return models.read(Named(int8, reference, colours.contract(tmp_path / "p.json")), tmp_path)


class Counting(Predictor):
    """Counts the shards it is asked for, and is killed after some of them."""

    def __init__(self, worker: LocalTarget, lives: int | None = None) -> None:
        super().__init__([worker], 1, compress=False)
        self.asked: list[int] = []
        self._lives = lives

    def stream(self, feeds: Sequence[Feed], parts: Sequence[Shard], advance: Advance | None = None) -> Iterator[Answer]:
        self.asked = [part.number for part in parts]
        for number, answer in enumerate(super().stream(feeds, parts, advance)):
            if number == self._lives:
                raise KeyboardInterrupt
            yield answer


def test_what_was_done_is_not_done_again(pair: Pair, pictures: ImageSet, tmp_path: Path) -> None:
    models_ = pair.int8, pair.reference, pictures.images
    with closing(LocalTarget()) as worker:
        whole = run(*models_, Counting(worker), Journal(tmp_path / "whole", {"one": 1}))
        with pytest.raises(KeyboardInterrupt):
            run(*models_, Counting(worker, lives=2), Journal(tmp_path / "journal", {"one": 1}))
        later = Counting(worker)
        found = run(*models_, later, Journal(tmp_path / "journal", {"one": 1}))
    assert len(later.asked) == -(-len(pictures.images) // SHARD) - 2
    assert found.resumed == 2 * SHARD
    assert found.records.tobytes() == whole.records.tobytes()
    assert np.array_equal(found.int8, whole.int8)
    assert np.array_equal(found.kept, np.arange(len(pictures.images)))


def test_what_was_done_otherwise_is_thrown_away(pair: Pair, pictures: ImageSet, tmp_path: Path) -> None:
    with closing(LocalTarget()) as worker:
        run(
            pair.int8,
            pair.reference,
            pictures.images[:SHARD],
            Counting(worker),
            Journal(tmp_path / "j", {"model": "a"}),
        )
    assert Journal(tmp_path / "j", {"model": "a"}).done() == {0}
    assert Journal(tmp_path / "j", {"model": "b"}).done() == set()


def test_half_an_entry_is_none(pair: Pair, pictures: ImageSet, tmp_path: Path) -> None:
    with closing(LocalTarget()) as worker:
        run(pair.int8, pair.reference, pictures.images[:SHARD], Counting(worker), Journal(tmp_path / "j", {}))
    entry = tmp_path / "j" / "0.npz"
    (tmp_path / "j" / "1.part").write_bytes(entry.read_bytes()[:100])
    entry.rename(tmp_path / "j" / "0.part")
    assert Journal(tmp_path / "j", {}).done() == set()


def test_a_command_that_was_killed_goes_on_and_gives_the_same(run: Run, pictures: ImageSet, tmp_path: Path) -> None:
    case = Case(tmp_path, Path(pictures.source))
    asked = case.command(*PLAIN, "--workers", "1")
    process = subprocess.Popen(command(asked), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = work_folder(case.output) / "predictions"
    deadline = time.monotonic() + 120
    while not list(journal.glob("*.npz")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(list(journal.glob("*.npz")))
    assert kept > 0
    done = run(*asked, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["images"]["count"] == len(pictures.images)
    assert any("were done by an earlier run" in note for note in report["notes"])
    resumed = (case.output / "predictions.csv").read_bytes()
    case.audit()
    assert (case.output / "predictions.csv").read_bytes() == resumed
    assert not work_folder(case.output).exists()


_PEAK = """
import sys
from pathlib import Path
from edgeffnet.audit.audit import audit
from edgeffnet.audit.beyond import Parts
val, int8, reference, stated, labels, output = map(Path, sys.argv[1:])
audit(int8, val, reference=reference, preprocessing=stated, labels=labels, output=output,
      parts=Parts(False, False, False, False))
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def test_memory_does_not_grow_with_the_images(pictures: ImageSet, tmp_path: Path) -> None:
    case, side, most = Case(tmp_path, Path(pictures.source)), 112, 8
    colours.tflite(case.int8, colours.weights(0.06), side=side)
    colours.tflite(case.reference, colours.weights(), side=side)
    colours.contract(case.preprocessing, resolution=side)
    peaks = []
    for repeats in (1, most):
        listing = tmp_path / f"{repeats}.csv"
        with listing.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("file", "label"))
            for _ in range(repeats):
                rows.writerows((image.path, image.label) for image in pictures.images)
        named = (listing, case.int8, case.reference, case.preprocessing, case.labels, case.output)
        asked = [sys.executable, "-c", _PEAK, *(str(path) for path in named)]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    pixels = side * side * 3 * len(pictures.images) * (most - 1) / 1e6
    assert peaks[1] - peaks[0] < pixels / 4, "of the images that are more, not even a quarter is ever held"
    assert len(pictures.images) * most > KEPT
