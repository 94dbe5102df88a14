"""What detectors call to see how a model fares when images are prepared in another way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.subject import Subject
from edgeffnet.images import LabelledImage, Preprocessing

Scores = NDArray[np.float32]

# Log-probabilities float32 (n, classes) of a subject over images that are prepared as the
# preprocessing says, in their order. Its mean and std reach models that take raw pixels too: they
# get the pixels that a right normalisation would turn into what the stated one makes of the image.
ScoresOf = Callable[[Subject, Preprocessing, Sequence[LabelledImage]], Scores]
