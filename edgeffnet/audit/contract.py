"""What an artefact says of its own input, against what is done to its images."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit import tflite_metadata
from edgeffnet.audit.alternatives import exact_ends, same_normalisation, short
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.subject import Port, Subject
from edgeffnet.errors import DataError

# Of the normalised pixels' span: an input grid that ends elsewhere by more is another normalisation.
_APART = 0.03
# Of that span, what an input's grid may cut off; and how many times as wide it may be.
_CUT_OFF = 0.1
_WIDE = 4.0


def findings(model: Subject, which: str) -> list[Finding]:
    """Where the artefact's own words, or those of the bundle it lies in, are not what is done. `which` names it."""
    stated = exact_ends(model.preprocessing)
    if model.artifact.input == "float32":
        grid = _first_rounding(model.artifact.path) if model.artifact.format == "tflite" else None
        found = _range_findings(grid, stated, which)
    elif model.quantizes_input:
        found = _range_findings(_grid(model.takes), stated, which)
    else:
        found = _scale_findings(model, stated, which)
    return [*found, *_metadata_findings(model, which), *_bundle_findings(model, which)]


def _metadata_findings(model: Subject, which: str) -> list[Finding]:
    """The metadata inside a `.tflite` file."""
    used = model.preprocessing
    stated = tflite_metadata.stated(model.artifact.path, used) if model.artifact.format == "tflite" else None
    if stated is None or same_normalisation(stated, used):
        return []
    said = (
        f"the metadata in the {which} model's file says (x - {short(stated.mean)}) / {short(stated.std)}, "
        f"but (x - {short(used.mean)}) / {short(used.std)} is used"
    )
    evidence = {"model": which, "mean": list(stated.mean), "std": list(stated.std)}
    return [Finding("metadata-differs", "warning", said, evidence)]


def _scale_findings(model: Subject, stated: NDArray[np.float64], which: str) -> list[Finding]:
    """An input of raw pixels: its scale and zero point are a normalisation, which has to be the stated one."""
    port = _normalised_inside(model.artifact.path) if model.artifact.format == "openvino" else model.takes
    # A scale of one is that of a model which normalises inside.
    if port is None or port.scale is None or port.zero_point is None or port.scale == 1:
        return []
    mean = port.zero_point + (128 if port.dtype == "int8" else 0)
    ends = np.array([-mean, 255 - mean]) * port.scale
    if np.abs(ends[:, None] - stated).max() <= _APART * float((stated[1] - stated[0]).min()):
        return []
    preprocessing = model.preprocessing
    said = (
        f"the {which} model's input has scale {port.scale:.6g} and zero point {port.zero_point}, which is "
        f"(x - {mean:g}) / {1 / port.scale:.4g}; its preprocessing says (x - {short(preprocessing.mean)}) / "
        f"{short(preprocessing.std)}"
    )
    evidence = {
        "model": which,
        "scale": port.scale,
        "zero_point": port.zero_point,
        "ends": ends.tolist(),
        "stated_ends": stated.tolist(),
    }
    return [Finding("input-scale", "fault", said, evidence)]


def _range_findings(grid: tuple[float, float] | None, stated: NDArray[np.float64], which: str) -> list[Finding]:
    """An input that is rounded to a grid: normalised images have to lie in it."""
    if grid is None:
        return []
    low, high = float(stated[0].min()), float(stated[1].max())
    missed = max(grid[0] - low, high - grid[1], 0.0) / (high - low)
    wide = (grid[1] - grid[0]) / (high - low)
    if missed <= _CUT_OFF and wide <= _WIDE:
        return []
    why = f"{min(missed, 1):.0%} of that is cut off" if missed > _CUT_OFF else f"that is 1/{wide:.0f} of the grid"
    said = (
        f"the {which} model rounds its input to a grid from {grid[0]:.3g} to {grid[1]:.3g}, but images are normalised "
        f"to {low:.3g}..{high:.3g}: {why}; it was calibrated on images normalised otherwise"
    )
    return [Finding("input-range", "fault", said, {"model": which, "grid": list(grid), "stated": [low, high]})]


def _bundle_findings(model: Subject, which: str) -> list[Finding]:
    from edgeffnet.bundle.contents import find_contract

    try:
        stated = find_contract(model.artifact.path)[0]
    except DataError:
        return []
    used, written = asdict(model.preprocessing), asdict(stated)
    changed = [name for name in used if used[name] != written[name]]
    if not changed:
        return []
    told = ", ".join(f"{name} {written[name]} and not {used[name]}" for name in changed)
    said = f"the {which} model's bundle states another preprocessing than the one used: {told}"
    differing = {name: {"used": used[name], "stated": written[name]} for name in changed}
    return [Finding("preprocessing-differs", "warning", said, {"model": which, **differing})]


def _grid(port: Port) -> tuple[float, float] | None:
    """The real values that an 8-bit port can hold."""
    if port.scale is None or port.zero_point is None:
        return None
    least = -128 if port.dtype == "int8" else 0
    return (least - port.zero_point) * port.scale, (least + 255 - port.zero_point) * port.scale


def _first_rounding(path: Path) -> tuple[float, float] | None:
    """The grid that a `.tflite` with a float input quantizes it to at once; None for one that computes in float."""
    from calib import graph

    model = graph.read(path.read_bytes())
    main = model.subgraphs[0]
    first = next(operator for operator in main.operators if main.inputs[0] in operator.inputs)
    rounded = main.tensors[first.outputs[0]]
    if graph.operator_name(model, first) != "QUANTIZE" or rounded.quantization is None:
        return None
    dtype = {9: "int8", 3: "uint8"}.get(rounded.type, "")
    held = rounded.quantization
    return _grid(Port(dtype, float(held.scale[0]), int(held.zeroPoint[0]))) if dtype else None


def _normalised_inside(path: Path) -> Port | None:
    """The (x - mean) * scale an OpenVINO model of pixels begins with, as a port; None for none, or one a channel."""
    import openvino

    node = openvino.Core().read_model(str(path)).inputs[0].node
    factor, offset, seen = 1.0, 0.0, False
    while len(readers := node.output(0).get_target_inputs()) == 1:
        node = next(iter(readers)).get_node()
        kind = node.get_type_name()
        if kind == "Convert":
            continue
        values = _constant(node) if kind in ("Subtract", "Add", "Multiply", "Divide") else None
        if values is None:
            break
        if np.unique(values).size != 1:
            return None
        value, seen = float(values.reshape(-1)[0]), True
        if kind in ("Subtract", "Add"):
            offset += value if kind == "Add" else -value
        else:
            change = value if kind == "Multiply" else 1 / value
            factor, offset = factor * change, offset * change
    return Port("uint8", factor, round(-offset / factor)) if seen and factor > 0 else None


def _constant(node: Any) -> NDArray[np.float64] | None:
    for value in node.input_values():
        source = value.get_node()
        if source.get_type_name() == "Convert":
            source = source.input_value(0).get_node()
        if source.get_type_name() == "Constant":
            return np.asarray(source.get_data(), np.float64)
    return None
