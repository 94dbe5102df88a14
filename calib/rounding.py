"""Adaptive rounding: weights go up or down so that the layer's output, not each weight, stays put.

Minimising (dW) H (dW)^T, with H the second moment of the layer's inputs, is the objective of
AdaRound (Nagel et al. 2020, arXiv:2004.10568); it is minimised column by column in closed form as
GPTQ does (Frantar et al. 2022, arXiv:2210.17323), with AdaRound's limit kept: no weight moves by
more than one step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST = 127


def scales(weights: Array) -> Array:
    """The step of each row's symmetric 8-bit grid, (rows, 1): its largest magnitude is 127 steps."""
    largest = np.abs(weights).max(axis=1, keepdims=True)
    return np.asarray(np.where(largest > 0, largest / LARGEST, 1.0))


def nearest(weights: Array, step: Array) -> Array:
    """`weights` (rows, columns) in whole steps, each to the nearest."""
    return np.asarray(np.clip(np.rint(weights / step), -LARGEST, LARGEST))


def adaptive(weights: Array, step: Array, moment: Array) -> Array:
    """`weights` (rows, columns) in whole steps of `step` (rows, 1), rounded for least output error.

    `moment` is the (columns, columns) second moment of the inputs, or (rows, columns, columns) with
    one per row, positive definite. A weight on +-127 stays there: it fixes the scale.
    """
    # A row's largest weights first: they fix the scale, so their error must be known to the rest.
    order = np.argsort(-np.diagonal(moment, axis1=-2, axis2=-1), axis=-1, kind="stable")
    if moment.ndim == 2:
        permuted, shuffled = weights[:, order], moment[np.ix_(order, order)]
        rounded = _columns(permuted, step, shuffled)
        undone = np.empty_like(rounded)
        undone[:, order] = rounded
        return undone
    permuted = np.take_along_axis(weights, order, axis=1)
    shuffled = np.take_along_axis(np.take_along_axis(moment, order[:, :, None], 1), order[:, None, :], 2)
    rounded = _columns(permuted, step, shuffled)
    undone = np.empty_like(rounded)
    np.put_along_axis(undone, order, rounded, axis=1)
    return undone


def _inverse_factor(moment: Array) -> Array:
    """The upper triangular U with U^T U the inverse of `moment`, from one Cholesky factor.

    With J reversing rows, J moment J = L L^T gives the inverse as (J L^-T J)(J L^-1 J), and J L^-1 J
    is upper triangular.
    """
    reverse = moment[..., ::-1, ::-1]
    lower = np.linalg.cholesky(reverse)
    identity = np.broadcast_to(np.eye(moment.shape[-1]), moment.shape)
    if moment.ndim == 2:
        from scipy import linalg

        inverted = linalg.solve_triangular(lower, identity, lower=True, check_finite=False)
    else:
        inverted = np.linalg.solve(lower, identity)
    return np.asarray(inverted[..., ::-1, ::-1])


def _columns(weights: Array, step: Array, moment: Array, block: int = 64) -> Array:
    """GPTQ's sweep: round a column, spread its error over those not yet rounded."""
    # Columns first, so that each is one piece of memory; U too, (columns, columns, 1) or with its rows last.
    upper = _inverse_factor(moment)
    upper = upper[..., None] if upper.ndim == 2 else np.ascontiguousarray(upper.transpose(1, 2, 0))
    left = np.ascontiguousarray((weights / step).T)
    low = np.maximum(np.ceil(left - 1), -LARGEST)
    high = np.minimum(np.floor(left + 1), LARGEST)
    fixed = np.abs(left) >= LARGEST - 1e-6
    low, high = np.where(fixed, np.rint(left), low), np.where(fixed, np.rint(left), high)
    rounded = np.empty_like(left)
    columns = len(left)
    for start in range(0, columns, block):
        stop = min(start + block, columns)
        errors = np.zeros((stop - start, left.shape[1]))
        for column in range(start, stop):
            rounded[column] = np.clip(np.rint(left[column]), low[column], high[column])
            row = upper[column]
            errors[column - start] = (left[column] - rounded[column]) / row[column]
            left[column + 1 : stop] -= row[column + 1 : stop] * errors[column - start]
        if stop < columns:
            spread = upper[start:stop, stop:]
            if spread.shape[-1] == 1:
                left[stop:] -= spread[..., 0].T @ errors
            else:
                left[stop:] -= np.einsum("bcr,br->cr", spread, errors)
    return np.asarray(rounded.T)
