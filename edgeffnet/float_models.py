"""A user's own float classifier, as the `.tflite` that calibration works on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from converters.errors import ConversionError
from edgeffnet import network
from edgeffnet.cache.steps import KeptSteps
from edgeffnet.cache.store import Cache
from edgeffnet.errors import DataError
from edgeffnet.hashing import sha256_of
from edgeffnet.weights import own_file, statement
from edgeffnet.weights.keras_archive import require_harmless
from edgeffnet.weights.statement import Statement


@dataclass(frozen=True)
class FloatModel:
    """A float32 classifier: one NHWC image in, probabilities out; `data` is its `.tflite`.

    `softmax_added` where the file ended in logits.
    """

    data: bytes
    name: str
    sha256: str
    resolution: int
    classes: int
    softmax_added: bool


def read(path: Path, cache: Cache | None = None) -> FloatModel:
    """The model in a float `.tflite` or a `.keras` file (Keras' safe mode: nothing in it is executed).

    Of weights that `edgeffnet train` wrote, `.safetensors` too, the network is built anew. What `cache` holds is not
    converted again. DataError says what keeps it from being quantized.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such model")
    readers = {".tflite": _read_tflite, ".keras": _read_keras}
    stated = statement.read(path)
    if path.suffix not in readers and stated is None:
        raise DataError(f"{path}: not a .tflite or .keras model")
    from calib.errors import CalibrationError
    from converters.float_file import prepared

    sha256 = sha256_of(path)
    converted = KeptSteps(cache, {"file": sha256, "suffix": path.suffix})
    try:
        made = prepared(
            converted.bytes(
                "float .tflite of a file", lambda: _read_own(path, stated) if stated else readers[path.suffix](path)
            )
        )
    except (ConversionError, CalibrationError) as error:
        raise DataError(f"{path}: {error}") from error
    return FloatModel(made.data, path.name, sha256, made.resolution, made.classes, made.softmax_added)


def _read_tflite(path: Path) -> bytes:
    return path.read_bytes()


def _read_own(path: Path, stated: Statement) -> bytes:
    from edgeffnet.tensorflow_import import import_tensorflow

    import_tensorflow()
    from converters.frozen import freeze
    from converters.tflite import float_tflite

    tensors = own_file.tensors(path, stated)
    network.check(stated.architecture, tensors, str(path))
    return float_tflite(freeze(network.inference(stated.architecture, tensors)))


def _read_keras(path: Path) -> bytes:
    from edgeffnet.tensorflow_import import import_tensorflow

    require_harmless(path)
    import_tensorflow()
    import keras

    from converters.frozen import freeze
    from converters.tflite import float_tflite

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many types for what it cannot read
        raise DataError(f"{path}: Keras cannot read it ({str(error).splitlines()[0]})") from None
    return float_tflite(freeze(model))
