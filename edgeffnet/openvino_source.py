"""What NNCF quantizes: the float `.tflite`, as the network and the processor it is for want it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from calib.calibrate import Calibrated, Settled

import numpy as np
from numpy.typing import NDArray


def openvino_source(
    float_tflite: bytes,
    calibrated: Callable[[], Calibrated],
    images: Callable[[], Iterable[NDArray[np.float32]]],
    recipe: str,
    *,
    saturating: bool,
    seed: int,
    granularity: Literal["channel", "tensor"] = "channel",
) -> Settled:
    """The float `.tflite` that NNCF quantizes, and the steps of its weights where they are not NNCF's to choose.

    Networks with swishes go as they are, and nothing is `calibrated` for them: the factors a calibration
    puts around a swish keep OpenVINO from fusing it, and cost more than the settled weights bring.
    """
    from calib.calibrate import Settled, settled_for_saturation

    if not needs_calibration(float_tflite):
        return Settled(float_tflite, ())
    if saturating:
        return settled_for_saturation(calibrated(), images, recipe, seed=seed, granularity=granularity)
    return Settled(calibrated().model, ())


def needs_calibration(float_tflite: bytes) -> bool:
    """Whether the source of the int8 OpenVINO model is calibrated: where no swish is in the way."""
    from calib import graph, swish

    return not swish.swishes(graph.read(float_tflite))
