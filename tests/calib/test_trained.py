"""The trained B0 (swish, squeeze-and-excitation) from end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calib import graph
from calib.calibrate import Calibrated, calibrate
from calib.sensitivity import units
from converters import int8


@pytest.fixture(scope="module")
def subject(data: Path):  # type: ignore[no-untyped-def]
    from benchmarks.subjects import load_subject

    return load_subject("b0", data, "a")


@pytest.fixture(scope="module")
def calibrated(subject) -> Calibrated:  # type: ignore[no-untyped-def]
    images = subject.draw(0, 32)
    return calibrate(subject.model, lambda: [images], "default", source="draw", input_range=subject.input_range)


def test_the_rewritten_float_model_is_all_integer_and_agrees(subject, calibrated) -> None:  # type: ignore[no-untyped-def]
    from benchmarks.figures import agrees
    from benchmarks.methods import Artefact
    from benchmarks.running import run

    few = type(subject)(**{**vars(subject), "images": subject.images[:200], "labels": subject.labels[:200]})
    made = int8.quantize(calibrated.model, calibrated.calibration, "float32", subject.input_range)
    wanted, found = run(Artefact("litert", subject.model), few), run(Artefact("litert", made), few)
    noise = ((wanted.logits - found.logits) ** 2).sum()
    assert agrees(wanted.shipped, found.shipped).mean() >= 0.96
    assert 10 * np.log10((wanted.logits**2).sum() / noise) >= 18


def test_the_quantizer_keeps_the_weights_that_rounding_chose(subject, calibrated) -> None:  # type: ignore[no-untyped-def]
    made = graph.read(int8.quantize(calibrated.model, calibrated.calibration, "float32", subject.input_range))
    floats = graph.read(calibrated.model)
    stored = {graph.tensor_name(tensor): tensor for tensor in made.subgraphs[0].tensors}
    for layer in graph.layers(floats):
        kernel = graph.constant(floats, layer.kernel)
        tensor = stored[graph.tensor_name(floats.subgraphs[0].tensors[layer.kernel])]
        held = np.asarray(made.buffers[tensor.buffer].data, np.uint8).view(np.int8).reshape(kernel.shape)
        shape = [1] * kernel.ndim
        shape[graph.output_axis(layer.kind)] = -1
        scale = np.asarray(tensor.quantization.scale).reshape(shape)
        assert np.abs(held * scale - kernel).max() <= 1e-4 * np.abs(kernel).max()


def test_layers_named_stay_in_float(subject, calibrated) -> None:  # type: ignore[no-untyped-def]
    model = graph.read(calibrated.model)
    unit = next(unit for unit in units(model) if unit.layer == "block1a_dwconv")
    made = graph.read(
        int8.quantize(
            calibrated.model,
            calibrated.calibration,
            "float32",
            subject.input_range,
            in_float=frozenset(unit.tensors),
        )
    )
    floats = [graph.tensor_name(tensor) for tensor in made.subgraphs[0].tensors if tensor.type == 0]
    assert "block1a_dwconv" in floats
    assert "block2a_dwconv" not in floats
