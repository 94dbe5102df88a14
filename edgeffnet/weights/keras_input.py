"""The normalisation some Keras models carry as their first layers, taken out of them into Preprocessing.

keras.applications' EfficientNets begin with Rescaling(1/255) and Normalization; built with
weights="imagenet" they also divide by sqrt(std), because their Normalization was stored with the
standard deviation where it takes a variance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.architecture import Activation, Padding
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.weights.keras_file import KerasFile

Vector = NDArray[np.float64]

_IMAGENET_STD = np.array([0.229, 0.224, 0.225])
_NORMALIZATION_EPSILON = 1e-7


@dataclass(frozen=True)
class Affine:
    """x * scale + offset per channel, for pixels x in 0..255; `certain` where the file itself says so."""

    scale: Vector
    offset: Vector
    certain: bool = True

    def then(self, scale: Any, offset: Any) -> Affine:
        factor = np.asarray(scale, np.float64)
        return replace(self, scale=self.scale * factor, offset=self.offset * factor + np.asarray(offset, np.float64))

    @property
    def identity(self) -> bool:
        return bool(np.all(self.scale == 1) and np.all(self.offset == 0))

    def into(self, preprocessing: Preprocessing) -> Preprocessing:
        """`preprocessing` followed by this, as one normalisation."""
        mean, std = np.asarray(preprocessing.mean), np.asarray(preprocessing.std)
        total_scale = self.scale / std
        total_offset = self.offset - mean / std * self.scale
        return replace(
            preprocessing,
            mean=_triple(-total_offset / total_scale),
            std=_triple(1 / total_scale),
        )


def inside(file: KerasFile) -> Affine:
    """What the model in `file` does to its input before its stem; DataError where that is more than normalising."""
    start = Affine(np.ones(3), np.zeros(3))
    if file.config is None:
        return _by_convention(file, start)
    affine = start
    for layer in _layers(file.config):
        kind, config = str(layer.get("class_name")), layer["config"]
        name = str(config.get("name"))
        if name == "stem_conv":
            return affine
        if kind == "Rescaling":
            affine = affine.then(_numbers(config["scale"]), _numbers(config["offset"]))
        elif kind == "Normalization":
            if config.get("invert"):
                raise DataError(f"layer {name} undoes a normalisation before the stem, which is not supported")
            affine = _normalised(affine, *_moments(name, config, file.tensors))
        elif not (kind in ("InputLayer", "ZeroPadding2D") or kind.startswith("Random")):
            raise DataError(f"layer {name} ({kind}) before the stem cannot be taken into the preprocessing")
    raise DataError("its model has no layer stem_conv, so is none of keras.applications' EfficientNets")


def combine(affine: Affine, stated: Preprocessing | None, source: str) -> Preprocessing | None:
    """The whole normalisation of a model that has `affine` inside, fed as `stated`.

    A statement of mean 0 and std 1 leaves all of it to the model; one that equals the model's own
    is the same said twice. Anything else would normalise twice: UsageError.
    """
    if stated is None or affine.identity:
        return stated
    whole = affine.into(replace(stated, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    if stated.mean == (0.0, 0.0, 0.0) and stated.std == (1.0, 1.0, 1.0):
        if not affine.certain:
            raise UsageError(
                f"{source}: holds weights only, and what its model did to its input is not certain; "
                "state the whole mean and std in --preprocessing"
            )
        return whole
    if not affine.certain or (np.allclose(stated.mean, whole.mean, 1e-3) and np.allclose(stated.std, whole.std, 1e-3)):
        return stated
    raise UsageError(
        f"{source}: the model normalises its input itself (mean {_shown(whole.mean)}, std {_shown(whole.std)}); "
        "in --preprocessing state these, or mean 0 and std 1"
    )


def padding_and_epsilon(config: dict[str, Any] | None, activation: Activation) -> tuple[Padding, float]:
    """As the model's configuration says; keras.applications' own (TensorFlow's, 1e-3) where there is none.

    DataError where the model's activations are not `activation`, or its batch-norms differ in epsilon.
    """
    padding: Padding = "same"
    epsilons = set()
    pads = []
    for layer in _layers(config) if config else ():
        kind, values = str(layer.get("class_name")), layer["config"]
        name = str(values.get("name"))
        if kind == "BatchNormalization":
            epsilons.add(float(values["epsilon"]))
        elif name.endswith(("stem_conv_pad", "dwconv_pad")):
            pads.append(np.asarray(values["padding"]).reshape(-1, 2))
        elif name.endswith("_activation") and _activation(kind, values) != activation:
            raise DataError(f"layer {name} is {_activation(kind, values)}, where this network has {activation}")
    if len(epsilons) > 1:
        raise DataError(f"its batch-norms have different epsilons: {', '.join(map(str, sorted(epsilons)))}")
    epsilon = epsilons.pop() if epsilons else 1e-3
    # TensorFlow pads less before than after, except where a map's size is odd.
    if pads and all(np.all(pad[:, 0] == pad[:, 1]) for pad in pads):
        padding = "symmetric"
    return padding, epsilon


def _activation(kind: str, values: dict[str, Any]) -> str:
    if kind == "ReLU":
        return "relu6" if values.get("max_value") == 6 else "relu"
    return {"silu": "swish"}.get(str(values.get("activation")), str(values.get("activation")))


def _by_convention(file: KerasFile, start: Affine) -> Affine:
    """keras.applications', as far as the layers' names and the Normalization's tensors tell it."""
    names = [name.split("/")[0] for name in file.tensors if re.match(r"normalization(_\d+)?/mean$", name)]
    if not names:
        return start
    mean, variance = _moments(names[0], {}, file.tensors)
    affine = _normalised(start.then(1 / 255, 0), mean, variance)
    rescalings = sum(layer.split("/")[-1].startswith("rescaling") for layer in file.layers)
    if rescalings >= 2:
        affine = affine.then(1 / np.sqrt(_IMAGENET_STD), 0)
    return replace(affine, certain=rescalings >= 2 or not np.allclose(variance, _IMAGENET_STD, 1e-3))


def _normalised(affine: Affine, mean: Vector, variance: Vector) -> Affine:
    deviation = np.maximum(np.sqrt(variance), _NORMALIZATION_EPSILON)
    return affine.then(1 / deviation, -mean / deviation)


def _moments(name: str, config: dict[str, Any], tensors: Mapping[str, NDArray[Any]]) -> tuple[Vector, Vector]:
    """Mean and variance of a Normalization layer, from its configuration or else from its tensors."""
    stated = [config.get(moment) for moment in ("mean", "variance")]
    found = [
        _numbers(value) if value is not None else np.asarray(tensors.get(f"{name}/{moment}"), np.float64)
        for value, moment in zip(stated, ("mean", "variance"), strict=True)
    ]
    for moment, values in zip(("mean", "variance"), found, strict=True):
        if values.size not in (1, 3) or not np.isfinite(values).all():
            raise DataError(f"tensor {name}/{moment} is missing, not finite, or not one number per channel")
    mean, variance = (np.broadcast_to(values.reshape(-1), (3,)) for values in found)
    if (variance < 0).any():
        raise DataError(f"tensor {name}/variance is negative")
    return mean, variance


def _layers(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every layer's configuration in order, those of nested models in their place."""
    for layer in config["config"].get("layers", ()):
        if not (isinstance(layer, dict) and isinstance(layer.get("config"), dict)):
            raise DataError("its model configuration describes a layer that is none")
        if "layers" in layer["config"]:
            yield from _layers(layer)
        else:
            yield layer


def _numbers(value: Any) -> Vector:
    """A number, a list, or an array as Keras serialises one."""
    if isinstance(value, dict):
        value = value.get("config", {}).get("value")
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise DataError("its model configuration has a normalisation that is no number") from None


def _triple(values: Vector) -> tuple[float, float, float]:
    first, second, third = (float(value) + 0.0 for value in np.broadcast_to(values, (3,)))
    return first, second, third


def _shown(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:.4g}" for value in values)
