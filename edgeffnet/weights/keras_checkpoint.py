"""A user's Keras file with keras.applications' layer names, from keras.applications or from here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeffnet import network
from edgeffnet.architecture import Architecture
from edgeffnet.errors import DataError
from edgeffnet.hashing import sha256_of
from edgeffnet.weights import keras_file, keras_input
from edgeffnet.weights.source import Contract, Provenance, Request, Weights, assemble


def load(path: Path, request: Request) -> Weights:
    """The weights in `path`; a normalisation inside the model becomes part of the preprocessing.

    Raises DataError for a file that is damaged or does not fit; UsageError where the preprocessing
    is stated nowhere, or the statement would normalise twice.
    """
    file = keras_file.read(path)
    tensors = layer_tensors(file, request.architecture)
    try:
        affine = keras_input.inside(file)
        padding, epsilon = keras_input.padding_and_epsilon(file.config, request.architecture.activation)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its model configuration is malformed ({type(error).__name__})") from None
    stated = keras_input.combine(affine, request.preprocessing, str(path))
    contract = Contract(
        padding=padding,
        bn_epsilon=epsilon,
        provenance=Provenance("checkpoint with keras.applications names", "", path.name, sha256_of(path), "not stated"),
    )
    return assemble(replace(request, preprocessing=stated), tensors, contract, str(path))


def layer_tensors(file: keras_file.KerasFile, architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    """The network's tensors in float32, without those of input layers and random generators.

    A single dense layer is the classifier whatever its name: models made on a headless
    keras.applications network call it "dense".
    """
    wanted = network.tensor_shapes(architecture)
    tensors = {
        name: value.astype(np.float32)
        for name, value in file.tensors.items()
        if not re.match(r"normalization(_\d+)?/|.*/(seed_generator_state|count)$", name)
    }
    if not file.named:
        tensors = _named_in_order(tensors, wanted)
    if "predictions/kernel" not in tensors:
        heads = [name.split("/")[0] for name, value in tensors.items() if name.endswith("/kernel") and value.ndim == 2]
        if len(heads) == 1:
            tensors = {name.replace(f"{heads[0]}/", "predictions/"): value for name, value in tensors.items()}
    return tensors


def _named_in_order(
    tensors: Mapping[str, NDArray[np.float32]], wanted: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[np.float32]]:
    """Layers known only by class and number, named in the order the network creates them."""
    convolutions = [
        name.split("/")[0] for name, shape in wanted.items() if name.endswith("/kernel") and len(shape) == 4
    ]
    ours = {
        "conv2d": [layer for layer in convolutions if not layer.endswith("dwconv")],
        "depthwise_conv2d": [layer for layer in convolutions if layer.endswith("dwconv")],
        "batch_normalization": [name.split("/")[0] for name in wanted if name.endswith("/gamma")],
        "dense": ["predictions"],
    }

    def renamed(name: str) -> str:
        layer, tensor = name.split("/")
        match = re.fullmatch(r"(.+?)(?:_(\d+))?", layer)
        kind, number = (match[1], int(match[2] or 0)) if match else (layer, 0)
        return f"{ours[kind][number]}/{tensor}" if number < len(ours.get(kind, ())) else name

    return {renamed(name): value for name, value in tensors.items()}
