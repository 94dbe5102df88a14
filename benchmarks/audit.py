"""What an audit costs beside the bare inferences in it, and how well two workers share it.

    python -m benchmarks.audit --data DATA [--bundle BUNDLE] [--memory [IMAGES]]

Lite0's int8 `.tflite` against its float one, on the 1,300 images. Bare are the same interpreter calls over
pixels that are decoded already, in one process, or in two that each have half; their start and loading are not
timed. An audit is the whole command, from the start of Python to the last file, without the parts that look
further (--no-detectors and so on). Every round takes all four in turn; ratios are medians over the rounds. A
timing during which other processes took more than a seventh of a core is taken again, for a while.
`--memory` adds the peak memory of audits of 1,300 and of 50,000 images, the same ones over and over, by a small
model. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from edgeffnet import images, imagesets, labels, scaling, stand_ins
from edgeffnet.bundle import contents
from edgeffnet.bundle.contents import find_contract
from edgeffnet.images import Preprocessing
from edgeffnet.report.quiet import quiet
from edgeffnet.targets import agent

MOST_OVER_BARE = 1.3
LEAST_SHARED = 0.85
# Megabytes by which forty times the images may raise the peak: names of files, and a record of each.
MOST_GROWTH = 64
_PLAIN = ("--no-detectors", "--no-layers", "--no-calibration", "--no-runtimes")


# Of one core, used by others while something is timed.
_FOREIGN_CORES = 0.15


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds, those that cores computed for it, and the cores that others used meanwhile."""

    seconds: float
    computed: float
    foreign: float

    def __str__(self) -> str:
        disturbed = f" (others used {self.foreign:.2f} cores)" if self.foreign > _FOREIGN_CORES else ""
        return f"{self.seconds:.1f} s, computed {self.computed:.1f} s{disturbed}"


def quiet_timing(work: Callable[[], float], attempts: int) -> Timing:
    """The first timing of `work`, which returns its seconds, that nobody disturbed; the least disturbed otherwise."""
    least: Timing | None = None
    for _ in range(attempts):
        busy, own, begun = _busy(), _own(), time.perf_counter()
        seconds = work()
        wall = time.perf_counter() - begun
        computed = _own() - own
        found = Timing(seconds, computed, max(0.0, _busy() - busy - computed) / wall)
        if least is None or found.foreign < least.foreign:
            least = found
        if found.foreign <= _FOREIGN_CORES:
            break
    assert least is not None
    return least


def _busy() -> float:
    """Seconds that all cores together have computed since the machine started."""
    user, nice, system, _, _, interrupts, soft, *_ = (
        int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Of those, the seconds of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@dataclass(frozen=True)
class Round:
    """Bare in one and in two processes, audited by one and by two workers."""

    bare_one: Timing
    bare_two: Timing
    audit_one: Timing
    audit_two: Timing

    @property
    def over_bare(self) -> float:
        return self.audit_one.seconds / self.bare_one.seconds

    @property
    def over_bare_two(self) -> float:
        return self.audit_two.seconds / self.bare_two.seconds

    @property
    def shared(self) -> float:
        """The speed-up by a second worker over that by a second bare process."""
        return (self.audit_one.seconds / self.audit_two.seconds) / (self.bare_one.seconds / self.bare_two.seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with imagenet/")
    parser.add_argument("--bundle", type=Path, help="a bundle of Lite0; one is made otherwise")
    parser.add_argument("--rounds", type=int, default=3, help="0 leaves out the speed")
    parser.add_argument("--attempts", type=int, default=12, help="at a timing that nobody disturbs")
    parser.add_argument("--memory", type=int, nargs="?", const=50_000, metavar="IMAGES", help="also peak memory")
    chosen = parser.parse_args(arguments)
    listing = chosen.data / "imagenet" / "eval.csv"
    met = []
    with tempfile.TemporaryDirectory(prefix="edgeffnet-") as name:
        folder = Path(name)
        if chosen.rounds:
            met += _speed(chosen.bundle or _made(folder), listing, folder, chosen.rounds, chosen.attempts)
        if chosen.memory:
            met.append(_memory(listing, folder, chosen.memory))
    return int(not all(met))


def _speed(bundle: Path, listing: Path, folder: Path, rounds: int, attempts: int) -> list[bool]:
    preprocessing, names, _ = find_contract(bundle / "model_int8.tflite")
    found = imagesets.read(listing, names)
    np.save(folder / "pixels.npy", np.concatenate(list(images.load(found.images, preprocessing))))
    made = []
    for number in range(rounds):
        made.append(
            Round(
                bare_one=quiet_timing(lambda: _bare(bundle, folder, preprocessing, 1), attempts),
                audit_one=quiet_timing(lambda: _audit(bundle, listing, folder, 1), attempts),
                bare_two=quiet_timing(lambda: _bare(bundle, folder, preprocessing, 2), attempts),
                audit_two=quiet_timing(lambda: _audit(bundle, listing, folder, 2), attempts),
            )
        )
        told = "; ".join(f"{key.replace('_', ' ')} {value}" for key, value in vars(made[-1]).items())
        print(f"round {number + 1} on {len(found.images)} images: {told}", flush=True)
    over, over_two, shared = (
        median(getattr(one, name) for one in made) for name in ("over_bare", "over_bare_two", "shared")
    )
    print(f"{_word(over <= MOST_OVER_BARE)}  one worker over one bare process: {over:.3f}, at most {MOST_OVER_BARE}")
    print(f"      two workers over two bare processes: {over_two:.3f}")
    print(
        f"{_word(shared >= LEAST_SHARED)}  speed-up by two workers over bare's: {shared:.3f}, at least {LEAST_SHARED}"
    )
    return [over <= MOST_OVER_BARE, shared >= LEAST_SHARED]


def _word(met: bool) -> str:
    return "pass" if met else "MISS"


def _made(folder: Path) -> Path:
    """A bundle's contract and its two `.tflite` models, calibrated on the default photographs."""
    from edgeffnet import calibration_images, production
    from edgeffnet.report.progress import Steps
    from edgeffnet.weights import packages

    bundle = folder / "bundle"
    bundle.mkdir()
    with quiet():
        producer = production.Producer(packages.load("lite0"), calibration_images.default(0), bundle)
        producer.recipe = "fast"
        artifacts = [one.artifact for one in producer.produce(("tflite",), Steps())]
    contents.write_contract(bundle, producer.contract, labels.imagenet(), artifacts)
    return bundle


def _bare(bundle: Path, folder: Path, preprocessing: Preprocessing, processes: int) -> float:
    """Seconds from when all are ready until the last one is done."""
    context = multiprocessing.get_context("spawn")
    start, ready = context.Event(), context.Barrier(processes + 1, timeout=600)
    stated = ([*preprocessing.mean], [*preprocessing.std])
    running = [
        context.Process(target=_infer, args=(bundle, folder / "pixels.npy", stated, part, processes, ready, start))
        for part in range(processes)
    ]
    for one in running:
        one.start()
    ready.wait()
    begun = time.perf_counter()
    start.set()
    for one in running:
        one.join()
        if one.exitcode:
            raise RuntimeError(f"a bare process ended with {one.exitcode}")
    return time.perf_counter() - begun


def _infer(
    bundle: Path, pixels: Path, stated: tuple[list[float], list[float]], part: int, parts: int, ready: Any, start: Any
) -> None:
    """Both models over every `parts`-th image from `part` on."""
    held = np.load(pixels)[part::parts]
    with quiet():
        loaded = [agent.FORMATS["tflite"](str(bundle / f"model_{one}.tflite"), 1) for one in ("int8", "fp32")]
        for model in loaded:
            agent.scores(model, held[0], *stated)
    ready.wait()
    start.wait()
    for model in loaded:
        for image in held:
            agent.scores(model, image, *stated)


def _audit(bundle: Path, listing: Path, folder: Path, workers: int) -> float:
    command = [
        *(sys.executable, "-m", "edgeffnet", "audit", str(bundle / "model_int8.tflite")),
        *("--reference", str(bundle / "model_fp32.tflite"), "--val", str(listing), "--workers", str(workers)),
        *("--output", str(folder / f"audit-{workers}"), *_PLAIN),
    ]
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


_MEASURED = """
import json, sys, threading, time
from pathlib import Path
from edgeffnet.audit.audit import audit
from edgeffnet.audit.beyond import Parts
bundle, listing, output = map(Path, sys.argv[1:])
workers = {}
def peak_of(process):
    # The kernel's own peak; resource's is that of the parent where it was larger.
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
def watch():
    while True:
        for task in Path("/proc/self/task").iterdir():
            todo = []
            try:
                todo = (task / "children").read_text().split()
                while todo:
                    child = todo.pop()
                    workers[child] = peak_of(child)
                    todo += Path(f"/proc/{child}/task/{child}/children").read_text().split()
            except OSError:
                pass
        time.sleep(0.05)
threading.Thread(target=watch, daemon=True).start()
audit(bundle / "model_int8.tflite", listing, reference=bundle / "model_fp32.tflite", output=output,
      parts=Parts(False, False, False, False))
print(json.dumps([peak_of("self"), max(workers.values())]))
"""


def _memory(listing: Path, folder: Path, most: int) -> bool:
    """Peaks of the auditing process and of the largest worker, for both numbers of images."""
    bundle = _small(folder / "small")
    with listing.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    peaks = {}
    for count in (len(rows), most):
        path = folder / f"{count}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "label"))
            for number in range(count):
                row = rows[number % len(rows)]
                writer.writerow((listing.parent / listing.stem / row["file"], row["label"]))
        command = [sys.executable, "-c", _MEASURED, str(bundle), str(path), str(folder / f"memory-{count}")]
        begun = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[count] = json.loads(done.stdout.splitlines()[-1])
        own, worker = peaks[count]
        taken = time.perf_counter() - begun
        print(f"{count:,} images: peak {own:.0f} MB, a worker {worker:.0f} MB; {taken:.0f} s", flush=True)
    (own, worker), (own_many, worker_many) = peaks.values()
    growth = max(own_many - own, worker_many - worker)
    print(f"{_word(growth <= MOST_GROWTH)}  peak memory grows by {growth:.0f} MB, at most {MOST_GROWTH}")
    return growth <= MOST_GROWTH


def _small(bundle: Path) -> Path:
    """Lite0 for images of 32 pixels, with random weights: 1,000 classes in little time."""
    architecture = scaling.at_resolution(scaling.official("lite0"), 32)
    with quiet():
        made = stand_ins.make(architecture)
    bundle.mkdir()
    here = []
    for artifact in made.values():
        shutil.copy(artifact.path, bundle / artifact.path.name)
        here.append(artifact.moved_to(artifact.path.parent, bundle))
    contents.write_contract(bundle, stand_ins.contract(architecture)[0], labels.imagenet(), here)
    return bundle


if __name__ == "__main__":
    sys.exit(main())
