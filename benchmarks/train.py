"""Training on one's own images, against what it has to hold.

    python benchmarks/train.py --data flowers [--only transfer inherited widening build size kills] [--kills 20]

Times are this machine's, with whatever else it does meanwhile: the load that others put on it is printed beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgeffnet import images as image_files
from edgeffnet import network, scaling
from edgeffnet.hashing import sha256_of
from edgeffnet.report.quiet import quiet
from edgeffnet.scaling import Overrides
from edgeffnet.tensorflow_import import import_tensorflow
from edgeffnet.training import dataset, split
from edgeffnet.training.inheritance import inherit
from edgeffnet.training.train import work_folder
from edgeffnet.training.vetting import vet
from edgeffnet.weights import packages

TOP1, MINUTES, AGREEMENT = 0.88, 8.0, 0.97
POINTS, INHERITED_MINUTES = 25.0, 5.0
APART = 1e-4
BUILD_MINUTES = 12.0
# Of a training on more images, and more classes, than are held at once.
MOST_MEMORY = 3e9
_SIZES = {"10,000 classes": (10_000, 3, 48), "5 GB": (20, 215, 1000)}
# Images on which two networks are compared.
_COMPARED = 16
# A training to be killed: small, and of a known length.
_KILLED = ("--phi", "-2", "--resolution", "96", "--epochs", "12")


class Bench:
    """Runs the checks in a folder of its own, and remembers whether one missed."""

    def __init__(self, data: Path, work: Path, kills: int) -> None:
        self.data = data
        self.work = work
        self.kills = kills
        self.missed = False

    def tell(self, passed: bool, said: str) -> None:
        self.missed |= not passed
        print(f"{'PASS' if passed else 'MISS'}  {said} (load {os.getloadavg()[0]:.1f})", flush=True)

    def transfer(self) -> None:
        """Lite0 within eight minutes, and its int8 form beside it."""
        output = self.work / "lite0.keras"
        report, minutes = self._train(output, "--variant", "lite0", "--time", f"{MINUTES - 0.5}m")
        top1 = report["training"]["top1"]["value"]
        self.tell(
            top1 >= TOP1 and minutes <= MINUTES,
            f"Lite0 transfer: {top1:.1%} in {minutes:.1f} minutes (bars {TOP1:.0%}, {MINUTES:g})",
        )
        listing = self._lists()
        built = self._edgeffnet(
            *("build", "--weights", output, "--device", "local", "--calib", listing["train"]),
            *("--val", listing["val"], "--formats", "tflite", "--json", "--output", self.work / "lite0-int8"),
        )
        int8 = next(one for one in json.loads(built)["artifacts"] if one["precision"] == "int8")
        agreement = int8["accuracy"]["agreement"]["value"]
        self.tell(agreement >= AGREEMENT, f"its int8 form agrees on {agreement:.1%} (bar {AGREEMENT:.0%})")

    def inherited(self) -> None:
        """phi -0.7 from Lite0, and from nothing."""
        found = {}
        for weights in ("imagenet", "random"):
            output = self.work / f"small-{weights}.keras"
            time_ = f"{INHERITED_MINUTES}m"
            report, minutes = self._train(output, "--phi", "-0.7", "--weights", weights, "--time", time_)
            found[weights] = 100 * report["training"]["top1"]["value"]
            print(f"      phi -0.7 from {weights}: {found[weights]:.1f}% in {minutes:.1f} minutes", flush=True)
        points = found["imagenet"] - found["random"]
        self.tell(points >= POINTS, f"phi -0.7 inherited: {points:.1f} points above random weights (bar {POINTS:g})")

    def widening(self) -> None:
        """Lite0's function in wider and deeper networks, on real images."""
        source = packages.load("lite0")
        listed = dataset.read(self.data, 0)
        pixels = next(image_files.load(listed.validation[:_COMPARED], source.preprocessing))
        images = source.preprocessing.normalise(pixels)
        with quiet():
            import_tensorflow()
            expected = _outputs(source.architecture, source.tensors, images)
            apart = {}
            for width, depth in ((1.1, 1.0), (1.0, 1.2), (1.2, 1.4)):
                target = scaling.official("lite0", 1000, Overrides(width=width, depth=depth))
                made = inherit(source.architecture, source.tensors, target)
                found = _outputs(target, made.tensors, images)
                apart[f"width {width:g} depth {depth:g}"] = float(np.abs(found - expected).max())
        worst = max(apart.values())
        told = ", ".join(f"{name} {value:.1e}" for name, value in apart.items())
        self.tell(worst <= APART, f"widening: probabilities and logits differ by at most {worst:.1e} ({told})")

    def build(self) -> None:
        """From a folder of pictures to a verified bundle."""
        output, start = self.work / "out", time.monotonic()
        plan = ("build", "--data", self.data, "--device", "local", "--max-latency", "30ms", "--output", output)
        report = json.loads(self._edgeffnet(*plan, "--json"))
        self._edgeffnet("verify", output)
        minutes = (time.monotonic() - start) / 60
        top1 = report["training"]["top1"]["value"]
        int8 = next(one for one in report["artifacts"] if one["precision"] == "int8")
        accuracy = int8["accuracy"]
        for step, taken in report["seconds"].items():
            print(f"      {step}: {taken:.0f} s", flush=True)
        self.tell(
            minutes <= BUILD_MINUTES,
            f"from pictures to a verified bundle in {minutes:.1f} minutes (bar {BUILD_MINUTES:g}): "
            f"{report['chosen']['name']}, {top1:.1%} in float, int8 {accuracy['top1']['value']:.1%}, agreement "
            f"{accuracy['agreement']['value']:.1%}, {report['chosen']['latency']['value_ms']:.1f} ms",
        )

    def size(self) -> None:
        """Folders of very many classes, and of very many bytes, by the peak of the process."""
        for name, (classes, each, side) in _SIZES.items():
            folder = self.work / "large"
            _noise(folder, classes, each, side)
            held = sum(path.stat().st_size for path in folder.rglob("*.jpg"))
            words = ("train", "--data", folder, "--phi", "-2", "--resolution", "64", "--epochs", "1")
            start = time.monotonic()
            process = subprocess.Popen(
                _command(*words, "--output", self.work / "large.keras", "--force"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            assert process.stderr
            said = process.stderr.read().decode(errors="replace").strip()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            peak = used.ru_maxrss * 1024
            self.tell(
                process.returncode == 0 and peak <= MOST_MEMORY,
                f"{name}: {classes * each:,} images, {held / 1e9:.2f} GB, in {(time.monotonic() - start) / 60:.1f} "
                f"minutes, peak {peak / 1e9:.2f} GB (bar {MOST_MEMORY / 1e9:g}) {said}",
            )
            shutil.rmtree(folder)

    def killed(self) -> None:
        """Killed at random moments and started again, against left alone."""
        listing = self.work / "few.csv"
        listed = dataset.read(self.data, 0)
        few = replace(
            listed,
            training=split.sample(listed.training, 120, 0),
            validation=split.sample(listed.validation, 40, 0),
        )
        listing.write_text(split.as_csv(few, self.work))
        alone, output = self.work / "alone.safetensors", self.work / "killed.safetensors"
        start = time.monotonic()
        self._edgeffnet("train", "--data", listing, *_KILLED, "--output", alone)
        length = time.monotonic() - start
        generator, kills = random.Random(0), 0
        asked = ("train", "--data", listing, *_KILLED, "--output", output)
        while kills < self.kills and not output.exists():
            process = subprocess.Popen(
                _command(*asked), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            try:
                process.wait(generator.uniform(0.1, 0.6) * length)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
            if output.exists() and kills < self.kills:
                # It was done before so many kills: the next begins from nothing.
                self._same(alone, output, kills)
                for suffix in (".keras", ".safetensors"):
                    output.with_suffix(suffix).unlink(missing_ok=True)
                shutil.rmtree(work_folder(output), ignore_errors=True)
        if not output.exists():
            self._edgeffnet(*asked)
        self._same(alone, output, kills)

    def _same(self, alone: Path, output: Path, kills: int) -> None:
        same = sha256_of(alone) == sha256_of(output)
        self.tell(same, f"after {kills} kills in all the final weights are {'the same' if same else 'others'}")

    def _train(self, output: Path, *options: str) -> tuple[dict[str, Any], float]:
        start = time.monotonic()
        report = json.loads(self._edgeffnet("train", "--data", self.data, *options, "--output", output, "--json"))
        return report, (time.monotonic() - start) / 60

    def _lists(self) -> dict[str, Path]:
        """The two parts of the data as CSVs for --calib and --val."""
        listed = vet(dataset.read(self.data, 0)).dataset
        found = {}
        for name, images in (("train", listed.training), ("val", listed.validation)):
            found[name] = self.work / f"{name}.csv"
            rows = [f"{image.path.absolute()},{listed.classes[image.label or 0]}" for image in images]
            found[name].write_text("\n".join(["file,label", *rows]) + "\n")
        return found

    def _edgeffnet(self, *arguments: object) -> str:
        done = subprocess.run(_command(*arguments), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"edgeffnet {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edgeffnet", *(str(one) for one in arguments)]


def _noise(folder: Path, classes: int, each: int, side: int) -> None:
    """Class folders of JPEGs that differ and do not compress."""
    generator = np.random.default_rng(0)
    for number in range(classes):
        place = folder / f"class {number:05}"
        place.mkdir(parents=True)
        for index in range(each):
            pixels = generator.integers(0, 256, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(place / f"{index}.jpg", quality=95)


def _outputs(net: Any, tensors: Any, images: Any) -> Any:
    """Logits and probabilities beside each other."""
    import tensorflow as tf

    model = network.build(net, batch=None)
    network.assign(model, tensors)
    logits = model(images, training=False)
    return np.concatenate([np.asarray(logits), np.asarray(tf.nn.softmax(logits))], axis=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the flowers: class folders in train and val")
    parser.add_argument("--only", nargs="+", help="transfer, inherited, widening, build, size, kills")
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeffnet-train-") as folder:
        bench = Bench(options.data.absolute(), Path(folder), options.kills)
        checks: dict[str, Callable[[], None]] = {
            "widening": bench.widening,
            "transfer": bench.transfer,
            "inherited": bench.inherited,
            "build": bench.build,
            "size": bench.size,
            "kills": bench.killed,
        }
        unknown = sorted(set(options.only or ()) - set(checks))
        if unknown:
            parser.error(f"--only {unknown[0]}: there are {', '.join(checks)}")
        for name in options.only or checks:
            checks[name]()
    return 1 if bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
