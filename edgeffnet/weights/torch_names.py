"""Names and layouts of torch checkpoints -> this project's "layer/tensor" names in Keras' layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.architecture import Architecture, Block
from edgeffnet.errors import DataError

_NORM_TENSORS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def lukemelas(architecture: Architecture) -> dict[str, str]:
    """Module prefix -> layer, as EfficientNet-PyTorch names them (also the Lite weight packages)."""
    names = {
        "_conv_stem": "stem_conv",
        "_bn0": "stem_bn",
        "_conv_head": "top_conv",
        "_bn1": "top_bn",
        "_fc": "predictions",
    }
    for index, block in enumerate(architecture.blocks()):
        parts = {
            "_expand_conv": "expand_conv",
            "_bn0": "expand_bn",
            "_depthwise_conv": "dwconv",
            "_bn1": "bn",
            "_se_reduce": "se_reduce",
            "_se_expand": "se_expand",
            "_project_conv": "project_conv",
            "_bn2": "project_bn",
        }
        names.update({f"_blocks.{index}.{theirs}": f"{block.name}_{ours}" for theirs, ours in parts.items()})
    return names


def torchvision(architecture: Architecture) -> dict[str, str]:
    """Module prefix -> layer, as torchvision names them."""
    names = {"features.0.0": "stem_conv", "features.0.1": "stem_bn"}
    stage, index = 0, 0
    for block in architecture.blocks():
        position = _stage(block)
        stage, index = (stage, index + 1) if position == stage else (position, 0)
        prefix = f"features.{stage}.{index}.block"
        parts = ["dwconv bn", "se_reduce se_expand", "project_conv project_bn"]
        if block.expand != 1:
            parts.insert(0, "expand_conv expand_bn")
        for number, pair in enumerate(parts):
            first, second = pair.split()
            suffixes = ("fc1", "fc2") if first == "se_reduce" else ("0", "1")
            names[f"{prefix}.{number}.{suffixes[0]}"] = f"{block.name}_{first}"
            names[f"{prefix}.{number}.{suffixes[1]}"] = f"{block.name}_{second}"
    head = len(architecture.stages) + 1
    return {**names, f"features.{head}.0": "top_conv", f"features.{head}.1": "top_bn", "classifier.1": "predictions"}


def timm(architecture: Architecture) -> dict[str, str]:
    """Module prefix -> layer, as timm names them, with and without `tf_`."""
    names = {
        "conv_stem": "stem_conv",
        "bn1": "stem_bn",
        "conv_head": "top_conv",
        "bn2": "top_bn",
        "classifier": "predictions",
    }
    stage, index = 0, 0
    for block in architecture.blocks():
        position = _stage(block)
        stage, index = (stage, index + 1) if position == stage else (position, 0)
        if block.expand == 1:
            parts = {"conv_dw": "dwconv", "bn1": "bn", "conv_pw": "project_conv", "bn2": "project_bn"}
        else:
            parts = {
                "conv_pw": "expand_conv",
                "bn1": "expand_bn",
                "conv_dw": "dwconv",
                "bn2": "bn",
                "conv_pwl": "project_conv",
                "bn3": "project_bn",
            }
        parts |= {"se.conv_reduce": "se_reduce", "se.conv_expand": "se_expand"}
        prefix = f"blocks.{stage - 1}.{index}"
        names.update({f"{prefix}.{theirs}": f"{block.name}_{ours}" for theirs, ours in parts.items()})
    return names


NAMINGS = {"lukemelas": lukemelas, "torchvision": torchvision, "timm": timm}
_STEMS = {"_conv_stem.weight": "lukemelas", "features.0.0.weight": "torchvision", "conv_stem.weight": "timm"}


def naming_of(state: Mapping[str, NDArray[Any]], source: str) -> str:
    """ "lukemelas", "torchvision" or "timm", by the name of the first convolution; DataError for none of them."""
    for stem, naming in _STEMS.items():
        if stem in state:
            return naming
    first = ", ".join(sorted(state)[:3]) or "nothing"
    raise DataError(f"{source}: names no stem convolution as timm, torchvision or lukemelas do; it holds {first}, ...")


def without_prefix(state: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """The state dict without the "module." that DataParallel puts before every name."""
    if state and all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): value for name, value in state.items()}
    return state


def originals(modules: Mapping[str, str]) -> dict[str, str]:
    """This project's tensor names -> the checkpoint's, for messages."""
    names = {}
    for module, layer in modules.items():
        if layer.endswith("bn"):
            names.update({f"{layer}/{ours}": f"{module}.{theirs}" for theirs, ours in _NORM_TENSORS.items()})
        else:
            names.update({f"{layer}/kernel": f"{module}.weight", f"{layer}/bias": f"{module}.bias"})
    return names


def convert(
    state: Mapping[str, NDArray[Any]], modules: Mapping[str, str], source: str
) -> dict[str, NDArray[np.float32]]:
    """The state dict under this project's names, float32, in Keras' layouts.

    Raises DataError for a tensor whose module `modules` does not know.
    """
    return dict(_converted(state, modules, source))


def _converted(
    state: Mapping[str, NDArray[Any]], modules: Mapping[str, str], source: str
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for name, value in state.items():
        module, _, tensor = name.rpartition(".")
        if tensor == "num_batches_tracked":
            continue
        if module not in modules:
            raise DataError(f"{source}: tensor {name} belongs to no layer of this architecture")
        layer = modules[module]
        array = value.astype(np.float32)
        if layer.endswith("bn"):
            if tensor not in _NORM_TENSORS:
                raise DataError(f"{source}: tensor {name} is no batch-norm tensor")
            yield f"{layer}/{_NORM_TENSORS[tensor]}", array
        elif tensor == "weight":
            yield f"{layer}/kernel", _kernel(array, depthwise=layer.endswith("dwconv"))
        else:
            yield f"{layer}/{tensor}", array


def _stage(block: Block) -> int:
    """3 for `block3a`: blocks are named by stage, counted from 1."""
    return int(block.name.removeprefix("block").rstrip("abcdefghijklmnopqrstuvwxyz"))


def _kernel(array: NDArray[np.float32], depthwise: bool) -> NDArray[np.float32]:
    if array.ndim == 4:
        return np.ascontiguousarray(array.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0)))
    return np.ascontiguousarray(array.T) if array.ndim == 2 else array
