"""Weights moved so that a layer undoes the error its inputs already bear.

Least squares of what is missing at the output on the inputs the quantized network has there, with
the weights as they are as the prior. How strongly to believe the samples is settled row by row:
each strength is solved for on half of the images and judged on the other half, by the error left
after the activation; a row that none of them serves keeps its weights. Layer-wise reconstruction from
the quantized network's own inputs follows Nagel et al. 2020 (arXiv:2004.10568), section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib import moments, patches
from calib.graph import Array

# Strengths of the prior, as multiples of each input's own second moment.
PRIORS = (0.1, 0.3, 1.0, 3.0)


def correction(
    residual: Array,
    inputs: Array,
    importance: Array,
    image: NDArray[np.int64],
    second: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """What to add to the weights, (rows, weights), to take `residual` away on images not seen.

    `residual` (samples, rows) is what the outputs lack, `inputs` are as in `calib.moments`, both with
    their means removed; `importance` (samples, rows) weighs errors, `image` numbers each sample's image; `second`
    is the moment of `inputs` so weighed, where it is known.
    """
    unseen = image % 2 == 1
    found = np.zeros((residual.shape[1], inputs.shape[-1]))
    if unseen.all() or not unseen.any():
        return found
    known, judge = (_Samples(inputs[..., one, :], residual[one], importance[one]) for one in (~unseen, unseen))
    halves = _Problem(moments.second(known.inputs, known.importance), known.cross)
    left = [judge.left(None), *(judge.left(halves.solved(prior)) for prior in PRIORS)]
    best = np.argmin(left, axis=0)
    moment = moments.second(inputs, importance) if second is None else second
    whole = _Problem(moment, _Samples(inputs, residual, importance).cross)
    for number, prior in enumerate(PRIORS, 1):
        rows = best == number
        if rows.any():
            found[rows] = whole.solved(prior)[rows]
    return found


@dataclass(frozen=True)
class _Samples:
    inputs: Array
    residual: Array
    importance: Array

    @property
    def cross(self) -> NDArray[np.float64]:
        return moments.cross(self.residual, self.inputs, self.importance)

    def left(self, added: NDArray[np.float64] | None) -> Array:
        """The squared error of each row that matters, means aside, with `added` on its weights."""
        error = self.residual if added is None else self.residual - patches.outputs(added, self.inputs)
        error = error - error.mean(axis=0)
        return np.asarray((self.importance * error**2).sum(axis=0))


@dataclass(frozen=True)
class _Problem:
    """Least squares by its moments."""

    moment: NDArray[np.float64]
    cross: NDArray[np.float64]

    def solved(self, prior: float) -> NDArray[np.float64]:
        from scipy import linalg

        own = np.einsum("...ii->...i", self.moment)
        ridge = prior * (own + 1e-3 * np.maximum(own.mean(axis=-1)[..., None], 1e-12))
        ridged = self.moment + moments.diagonal(ridge)
        if ridged.ndim == 2:
            return np.asarray(linalg.solve(ridged, self.cross.T, assume_a="pos", check_finite=False).T)
        return np.asarray(np.linalg.solve(ridged, self.cross[..., None])[..., 0])
