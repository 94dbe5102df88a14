"""EfficientNet-B0..B7 trained on ImageNet-1k, from keras.applications with its own downloader and cache."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO

from edgeffnet import labels, network
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.weights import keras_checkpoint, keras_input
from edgeffnet.weights.keras_file import KerasFile
from edgeffnet.weights.source import Contract, Provenance, Request, Weights, assemble, digest_of


def load(variant: str, request: Request) -> Weights:
    """The ImageNet weights of `variant` ("b0".."b7"), downloaded once into Keras' cache.

    Images are cropped as the authors crop them, res/(res+32) of the short side, bicubic. Raises
    UsageError where Keras is not installed, DataError where the download fails.
    """
    try:
        import keras
    except ImportError:
        raise UsageError(f"ImageNet weights of {variant} need Keras: pip install 'edgeffnet[build]'") from None
    constructor = getattr(keras.applications, f"EfficientNet{variant.upper()}")
    try:
        # Keras prints its download to standard output, which belongs to the report.
        with redirect_stdout(StringIO()):
            model = constructor(weights="imagenet")
    except Exception as error:  # Keras raises plain Exception for a failed download
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"ImageNet weights of {variant}: keras.applications could not fetch or read them ({reason}); "
            "connect to the network once, or give --weights FILE"
        ) from None
    extracted = network.extract(model)
    config = json.loads(model.to_json())
    file = KerasFile(extracted, config, tuple(layer.name for layer in model.layers), named=True)
    size = request.architecture.resolution
    plain = Preprocessing(size, size / (size + 32), "bicubic", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    affine = keras_input.inside(file)
    padding, epsilon = keras_input.padding_and_epsilon(config, request.architecture.activation)
    tensors = keras_checkpoint.layer_tensors(file, request.architecture)
    contract = Contract(
        padding=padding,
        bn_epsilon=epsilon,
        provenance=Provenance(
            name=f"keras.applications EfficientNet{variant.upper()}",
            version=keras.__version__,
            file=f"efficientnet{variant}.h5",
            sha256=digest_of(tensors),
            license="Apache-2.0",
        ),
        preprocessing=affine.into(plain),
        labels=labels.imagenet(),
    )
    return assemble(request, tensors, contract, f"keras.applications {variant}")
