"""What NNCF quantizes, as the network and the processor it is for want it, and what it becomes afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from calib.calibrate import Calibrated, Settled

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Source:
    """The float `.tflite` that NNCF quantizes, and the one whose weights it then gets; None where NNCF rounds them.

    Ranges are those of weights that are not rounded yet, as the `.tflite`'s are: NNCF need not wait for these.
    """

    model: bytes
    settled: Settled | None


def openvino_source(
    float_tflite: bytes,
    calibrated: Callable[[], Calibrated],
    images: Callable[[], Iterable[NDArray[np.float32]]],
    recipe: str,
    *,
    saturating: bool,
    seed: int,
    granularity: Literal["channel", "tensor"] = "channel",
) -> Source:
    """The source of the int8 OpenVINO model.

    Networks with swishes go as they are, and nothing is `calibrated` for them: the factors a calibration
    puts around a swish keep OpenVINO from fusing it, and cost more than the settled weights bring.
    """
    from calib.calibrate import settled, settled_for_saturation

    if not needs_calibration(float_tflite):
        return Source(float_tflite, None)
    made = calibrated()
    if saturating:
        return Source(made.unrounded, settled_for_saturation(made, images, recipe, seed=seed, granularity=granularity))
    return Source(made.unrounded, settled(made, granularity))


def needs_calibration(float_tflite: bytes) -> bool:
    """Whether the source of the int8 OpenVINO model is calibrated: where no swish is in the way."""
    from calib import graph, swish

    return not swish.swishes(graph.read(float_tflite))
