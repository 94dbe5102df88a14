"""The same artefact in every runtime here that reads it, and what of its answers is this machine's."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.check import Scores, difference, log_probabilities
from edgeffnet import devices
from edgeffnet.audit import one_runtime
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.paired import mcnemar
from edgeffnet.audit.scoring import Feed
from edgeffnet.audit.subject import Subject
from edgeffnet.images import LabelledImage, Pixels, load

IMAGES = 64
# Reference kernels take a second for each image.
_SLOW_IMAGES = 4
_SECONDS = 600
_SIGNIFICANT = 1e-3
# Integer products that cost less than this beside the same grids in float do not saturate.
_SATURATED_DB = 1.5

_OWN = {"tflite": "LiteRT", "openvino": "OpenVINO", "onnx": "ONNX Runtime"}
_OTHERS = {
    "tflite": ("LiteRT without XNNPACK", "LiteRT reference kernels", "tflite-runtime", "TensorFlow", "OpenVINO"),
    "openvino": (),
    "onnx": ("OpenVINO",),
}
_WITHOUT_VNNI = {"ONEDNN_MAX_CPU_ISA": "AVX2"}


@dataclass(frozen=True)
class InRuntime:
    """One artefact in one runtime, beside the runtime it is made for.

    `agreement` is the share of equal top-1 over `images` images, `largest_difference` that of any
    probability; both are None where it did not run, for the reason `not_run`.
    """

    runtime: str
    model: str
    images: int
    agreement: float | None
    largest_difference: float | None
    not_run: str | None
    said: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "runtime": self.runtime,
            "model": self.model,
            "agreement": self.agreement,
            "largest_difference": self.largest_difference,
            "not_run": self.not_run,
            "said": self.said,
        }


@dataclass(frozen=True)
class Runtimes:
    """Every runtime that was tried, what was noticed, and what could not be tested here."""

    rows: tuple[InRuntime, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def compare(
    subject: Subject, reference: Subject, images: Sequence[LabelledImage], *, count: int = IMAGES, threads: int = 1
) -> Runtimes:
    """`subject` in this machine's runtimes on the first `count` of `images`; each runs in a process of its own.

    An int8 OpenVINO model is run with its grids in float as well: where integer products are the worse,
    sums saturate on this machine. `reference` says which is the worse.
    """
    chosen = images[:count]
    with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
        bench = _Bench(subject, chosen, Path(folder), threads)
        own = bench.run(_OWN[subject.artifact.format])
        rows = [_row(own, own, "the runtime it is made for")]
        for name in _OTHERS[subject.artifact.format]:
            few = _SLOW_IMAGES if name == "LiteRT reference kernels" else len(chosen)
            rows.append(_row(own, bench.run(name, few), _said(subject, name)))
        found, notes, more = _machine(bench, own, reference, chosen, Path(folder), threads)
    return Runtimes((*rows, *more), tuple(found), tuple(notes))


@dataclass(frozen=True)
class _Ran:
    """Log-probabilities of a model in a runtime, or why there are none."""

    name: str
    model: str
    scores: Scores | None
    failed: str | None


class _Bench:
    """One model's images as raw pixels, for runtimes in processes of their own."""

    def __init__(self, model: Subject, images: Sequence[LabelledImage], folder: Path, threads: int) -> None:
        self.model = model
        self._folder = folder
        self._threads = threads
        feed = Feed(model, model.preprocessing)
        self.pixels: Pixels = feed.prepared(np.concatenate(list(load(images, model.preprocessing))))

    def run(self, runtime: str, count: int | None = None, environment: dict[str, str] | None = None) -> _Ran:
        """The model in `runtime`, on the first `count` images."""
        artifact = self.model.artifact
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            place = Path(name)
            np.savez(place / "pixels.npz", pixels=self.pixels[:count])
            job = {
                "runtime": runtime,
                "model": str(artifact.path.resolve()),
                "pixels": str(place / "pixels.npz"),
                "mean": list(self.model.preprocessing.mean),
                "std": list(self.model.preprocessing.std),
                "threads": self._threads,
                "output": str(place / "scores.npy"),
            }
            (place / "job.json").write_text(json.dumps(job), encoding="utf-8")
            version, failed = _process(place / "job.json", environment)
            if failed is not None:
                return _Ran(runtime, artifact.name, None, failed)
            scores = log_probabilities(np.load(place / "scores.npy"), artifact.output)
        return _Ran(f"{runtime} {version}", artifact.name, scores, None)


def _process(job: Path, environment: dict[str, str] | None) -> tuple[str, str | None]:
    """The runtime's version, or why it did not run."""
    command = [sys.executable, "-P", str(Path(one_runtime.__file__)), str(job)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        return "", f"took longer than {_SECONDS} s"
    try:
        said = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return "", f"crashed (exit {done.returncode})"
    return said.get("version", ""), said.get("error")


def _row(own: _Ran, other: _Ran, said: str) -> InRuntime:
    if own.scores is None or other.scores is None:
        why = other.failed or f"{own.name} did not run: {own.failed}"
        return InRuntime(other.name, other.model, 0, None, None, why, said)
    count = len(other.scores)
    found = difference(own.scores[:count], other.scores)
    return InRuntime(other.name, other.model, count, found.agreement, found.probability, None, said)


def _said(subject: Subject, name: str) -> str:
    if name == "OpenVINO" and subject.artifact.format == "tflite" and subject.artifact.precision == "int8":
        return "OpenVINO rounds a .tflite otherwise than LiteRT: a comparison, not this file's accuracy"
    return {
        "LiteRT without XNNPACK": "LiteRT's own kernels, as where XNNPACK does not take an operator",
        "LiteRT reference kernels": f"the kernels that define the format, on {_SLOW_IMAGES} images",
    }.get(name, f"{name} on this machine")


def _machine(
    bench: _Bench, own: _Ran, reference: Subject, images: Sequence[LabelledImage], folder: Path, threads: int
) -> tuple[list[Finding], list[str], list[InRuntime]]:
    artifact = bench.model.artifact
    if artifact.format != "openvino" or artifact.precision != "int8" or own.scores is None:
        return [], [], []
    full, kernels = _can_saturate(artifact.path)
    static = f"in {full} of its {kernels} int8 kernels neighbours of one sign exceed 128 steps together"
    if full == 0:
        return [], [f"{static}: sums of their products cannot saturate on any machine"], []
    here = devices.load("local").int8_saturates
    in_float = bench.run("OpenVINO in float")
    wanted = _Bench(reference, images, folder, threads).run(_OWN[reference.artifact.format])
    rows = [_row(own, in_float, "the same grids with products in float: what no machine saturates")]
    if in_float.scores is None or wanted.scores is None:
        return [], [f"{static}; whether they saturate is not known: {in_float.failed or wanted.failed}"], rows
    if here:
        found = _saturation(wanted.scores, own.scores, in_float.scores, static, "this machine")
        note = [] if found else [f"{static}, but on this machine that costs nothing that shows"]
        return found, note, rows
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return [], [f"{static}: on x86 without VNNI their sums can saturate, which this machine cannot show"], rows
    limited = bench.run(own.name.split(" ")[0], environment=_WITHOUT_VNNI)
    rows.append(_row(own, limited, "as on x86 without VNNI, which adds pairs of products in 16 bits"))
    elsewhere = "x86 without VNNI"
    if limited.scores is None:
        return [], [f"{static}; what that costs on {elsewhere} is not known: {limited.failed}"], rows
    worse = _saturation(wanted.scores, limited.scores, in_float.scores, static, elsewhere)
    told = worse[0].said if worse else f"{static}, but on {elsewhere} that costs nothing that shows"
    return [], [f"not here, but {told}" if worse else told], rows


def _saturation(reference: Scores, integers: Scores, in_float: Scores, static: str, where: str) -> list[Finding]:
    """A finding where integer products, as `where` has them, are further from the reference than those in float."""
    apart = [np.square(_centred(scores) - _centred(reference)).sum(axis=1) for scores in (integers, in_float)]
    worse, better = int((apart[0] > apart[1]).sum()), int((apart[0] < apart[1]).sum())
    p = mcnemar(worse, better)
    snr = [difference(reference, scores).snr_db for scores in (integers, in_float)]
    if p >= _SIGNIFICANT or worse <= better or snr[1] - snr[0] < _SATURATED_DB:
        return []
    agree = [float((scores.argmax(axis=1) == reference.argmax(axis=1)).mean()) for scores in (integers, in_float)]
    evidence = {
        "images": len(reference),
        "worse": worse,
        "better": better,
        "p": p,
        "snr_db": snr[0],
        "snr_db_in_float": snr[1],
        "agreement": agree[0],
        "agreement_in_float": agree[1],
    }
    said = (
        f"int8 sums saturate on {where}, which adds pairs of products in 16 bits: signal-to-noise is "
        f"{snr[0]:.1f} dB, and {snr[1]:.1f} dB with products in float ({worse} of {len(reference)} images are "
        f"worse, p = {p:.1g}); {static}: quantize it for {where}"
    )
    return [Finding("int8-saturates", "fault", said, evidence)]


def _centred(scores: Scores) -> Scores:
    return np.asarray(scores - scores.mean(axis=1, keepdims=True))


def _can_saturate(path: Path) -> tuple[int, int]:
    """Of an OpenVINO model's int8 kernels those in which a pair of products can exceed 16 bits, and all."""
    import openvino

    from calib import saturation

    full = kernels = 0
    for node in openvino.Core().read_model(str(path)).get_ordered_ops():
        # Depthwise kernels are not summed in pairs.
        kind = node.get_type_name()
        if kind not in ("Convolution", "MatMul"):
            continue
        source = node.input_value(1).get_node()
        while source.get_type_name() in ("Convert", "Subtract", "Multiply", "Reshape", "FakeQuantize", "Transpose"):
            source = source.input_value(0).get_node()
        if source.get_type_name() == "Constant" and source.get_element_type().get_type_name() in ("i8", "u8"):
            values = np.asarray(source.get_data()).astype(np.int16)
            values = values - 128 if source.get_element_type().get_type_name() == "u8" else values
            if kind == "MatMul":
                values = (values if node.get_attributes()["transpose_b"] else values.T)[:, None]
            else:
                values = np.moveaxis(values, 1, -1).reshape(len(values), -1, values.shape[1])
            kernels += 1
            full += saturation.can_saturate(values)
    return full, kernels
