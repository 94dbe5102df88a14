"""What making Lite0's artefacts costs beside the peers' own way of making the same, from weights to files.

    python -m benchmarks.build --data DATA [--rounds N]

(a) a Keras model exported as a saved model, and TensorFlow Lite's converter on it, fp32 and int8; (b) the same export,
OpenVINO's converter on it, and NNCF; ours both, each artefact checked against the Keras model besides; and ours again,
warm. Each runs in a process of its own that starts with Python and ends with the last file, on the same number of
images, which it decodes itself; validation and latency are counted on no side. The peers begin with a `.keras` file, we
with the weights' package. Wall-clock seconds tell where nobody else computes, the processor's seconds elsewhere; ratios
of both are medians over the rounds. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

MOST_OVER_PEERS = 0.6
MOST_WARM_SECONDS = 2.0
MOST_MEMORY = 3e9
_LOOK_SECONDS = 0.2
IMAGES = 128


@dataclass(frozen=True)
class Run:
    """Wall-clock and processor's seconds of a process and its children, and their peak memory together, in bytes."""

    seconds: float
    computed: float
    memory: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, computed {self.computed:.1f} s, peak {self.memory / 1e9:.2f} GB"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with imagenet/")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.side:
        SIDES[chosen.side](chosen.data, chosen.folder)
        return 0
    rounds: list[dict[str, Run]] = []
    for number in range(chosen.rounds):
        with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
            _run("keras", chosen.data, Path(folder))
            made = {side: _run(side, chosen.data, Path(folder)) for side in ("tflite", "openvino", "ours", "warm")}
        print(f"round {number + 1}: {'; '.join(f'{side} {run}' for side, run in made.items())}", flush=True)
        rounds.append(made)
    return int(not all(_judged(rounds)))


def _judged(rounds: list[dict[str, Run]]) -> list[bool]:
    ratio, computed = (
        median(
            getattr(made["ours"], name) / (getattr(made["tflite"], name) + getattr(made["openvino"], name))
            for made in rounds
        )
        for name in ("seconds", "computed")
    )
    warm = median(made["warm"].seconds for made in rounds)
    memory = max(made["ours"].memory for made in rounds)
    met = [ratio <= MOST_OVER_PEERS, warm <= MOST_WARM_SECONDS, memory <= MOST_MEMORY]
    words = ["pass" if one else "MISS" for one in met]
    print(
        f"{words[0]}  ours over (a) + (b): {ratio:.2f}, at most {MOST_OVER_PEERS}; of processor's time {computed:.2f}"
    )
    print(f"{words[1]}  the same again, warm: {warm:.1f} s, at most {MOST_WARM_SECONDS:g}")
    print(f"{words[2]}  peak memory: {memory / 1e9:.2f} GB, at most {MOST_MEMORY / 1e9:g}")
    return met


def _run(side: str, data: Path, folder: Path) -> Run:
    environment = {**os.environ, "EDGEFFNET_CACHE": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    words = [sys.executable, "-m", "benchmarks.build", "--data", str(data), "--side", side, "--folder", str(folder)]
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=said)
        peak = 0
        while True:
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            peak = max(peak, sum(map(_resident, _family(process.pid))))
            time.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{side} failed: {said.read().decode(errors='replace')[-2000:]}")
    return Run(seconds, used.ru_utime + used.ru_stime, peak)


def _family(process: int) -> list[int]:
    """A process and all it started."""
    found = [process]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def _resident(process: int) -> int:
    """Bytes in memory that no other process shares, and its part of those that others do."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _images(data: Path) -> NDArray[np.uint8]:
    from edgeffnet import images, imagesets, labels, scaling
    from edgeffnet.images import Preprocessing

    found = imagesets.read(data / "imagenet" / "calib.csv", labels.imagenet()).images[:IMAGES]
    return np.concatenate(list(images.load(found, Preprocessing.lite(scaling.official("lite0").resolution))))


def _keras(data: Path, folder: Path) -> None:  # noqa: ARG001
    from edgeffnet import network
    from edgeffnet.tensorflow_import import import_tensorflow
    from edgeffnet.weights import packages

    import_tensorflow()
    found = packages.load("lite0")
    network.inference(found.architecture, found.tensors).save(folder / "model.keras")


def _exported(folder: Path) -> Path:
    import keras

    model = keras.models.load_model(folder / "model.keras", compile=False)
    model.export(folder / "saved", verbose=False)
    return folder / "saved"


def _normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (pixels.astype(np.float32) - 127) / 128


def _tflite(data: Path, folder: Path) -> None:
    import tensorflow as tf

    pixels, saved = _images(data), str(_exported(folder))
    (folder / "peer_fp32.tflite").write_bytes(tf.lite.TFLiteConverter.from_saved_model(saved).convert())
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: ([_normalised(one[None])] for one in pixels)
    (folder / "peer_int8.tflite").write_bytes(converter.convert())


def _openvino(data: Path, folder: Path) -> None:
    import nncf
    import openvino

    pixels = _images(data)
    model = openvino.convert_model(_exported(folder), input=[1, *pixels.shape[1:]])
    openvino.save_model(model, folder / "peer_fp32.xml", compress_to_fp16=False)
    dataset = nncf.Dataset(pixels, lambda one: _normalised(one[None]))
    openvino.save_model(nncf.quantize(model, dataset, subset_size=len(pixels)), folder / "peer_int8.xml")


def _ours(data: Path, folder: Path) -> None:
    from edgeffnet import calibration_images, devices, imagesets, labels, openvino_files
    from edgeffnet.beside import Beside
    from edgeffnet.cache.store import Cache
    from edgeffnet.calibration_images import Selection
    from edgeffnet.production import Producer
    from edgeffnet.report.progress import Steps
    from edgeffnet.weights import packages

    listed = imagesets.read(data / "imagenet" / "calib.csv", labels.imagenet())
    images = calibration_images.from_set(listed, 0, Selection(IMAGES))
    with tempfile.TemporaryDirectory(dir=folder) as made, closing(Beside(openvino_files.MODULES)) as beside:
        producer = Producer(packages.load("lite0"), images, Path(made), cache=Cache.of_user(), beside=beside)
        producer.saturating = devices.load("local").int8_saturates
        producer.produce(("tflite", "openvino"), Steps())


SIDES: dict[str, Callable[[Path, Path], None]] = {
    "keras": _keras,
    "tflite": _tflite,
    "openvino": _openvino,
    "ours": _ours,
    "warm": _ours,
}

if __name__ == "__main__":
    sys.exit(main())
