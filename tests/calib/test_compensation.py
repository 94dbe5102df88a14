"""Compensation: errors that come with the inputs are undone, chance is not learnt."""

from __future__ import annotations

import numpy as np
import pytest

from calib import compensation

IMAGES, EACH, WEIGHTS, ROWS = 40, 25, 12, 6
IMAGE = np.repeat(np.arange(IMAGES), EACH)


def _inputs(seed: int, own: bool) -> np.ndarray:
    """Centred inputs, one for all rows or each row's own."""
    rng = np.random.default_rng(seed)
    shape = (ROWS, IMAGES * EACH, WEIGHTS) if own else (IMAGES * EACH, WEIGHTS)
    found = rng.normal(size=shape).astype(np.float32)
    return found - found.mean(axis=-2, keepdims=True)


def _weights() -> np.ndarray:
    return np.random.default_rng(9).normal(size=(ROWS, WEIGHTS)).astype(np.float32)


def _outputs(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    return inputs @ weights.T if inputs.ndim == 2 else np.einsum("rsw,rw->sr", inputs, weights)


@pytest.mark.parametrize("own", [False, True], ids=["shared inputs", "each row its own"])
@pytest.mark.parametrize("open_share", [1.0, 0.05], ids=["open", "mostly discarded"])
def test_inputs_that_lost_a_fifth_are_made_up_for(own: bool, open_share: float) -> None:
    weights, whole = _weights(), _inputs(0, own)
    faded = whole.copy()
    faded[..., 3] *= 0.8
    residual = _outputs(weights, whole) - _outputs(weights, faded)
    matters = np.random.default_rng(1).random(residual.shape) < open_share
    importance = np.where(matters, 1.01, 0.01).astype(np.float32)
    added = compensation.correction(residual, faded, importance, IMAGE)
    # The weakest prior keeps a tenth: what is added is wanted / 1.1.
    assert added[:, 3] == pytest.approx(weights[:, 3] * 0.25 / 1.1, rel=0.1)
    assert np.abs(np.delete(added, 3, axis=1)).max() < 0.05


@pytest.mark.parametrize("own", [False, True], ids=["shared inputs", "each row its own"])
def test_chance_is_not_learnt(own: bool) -> None:
    inputs = _inputs(0, own)
    noise = np.random.default_rng(2).normal(size=(IMAGES * EACH, ROWS)).astype(np.float32)
    added = compensation.correction(noise - noise.mean(axis=0), inputs, np.ones_like(noise), IMAGE)
    fresh = _inputs(5, own)
    assert (_outputs(added, fresh) ** 2).mean() < 0.005  # of the noise's variance, 1
    plain = 1 / 1.1 * np.linalg.lstsq(inputs if not own else inputs[0], noise, rcond=None)[0]
    assert np.abs(added).sum() < np.abs(plain).sum()


def test_what_one_image_shows_is_no_rule() -> None:
    inputs = _inputs(0, False)
    residual = np.where((IMAGE == 0)[:, None], 5 * inputs[:, :ROWS], 0).astype(np.float32)
    only = np.zeros_like(IMAGE)
    assert not compensation.correction(residual, inputs, np.ones_like(residual), only).any()


def test_rows_are_judged_on_their_own() -> None:
    inputs = _inputs(0, False)
    residual = np.random.default_rng(3).normal(size=(IMAGES * EACH, ROWS)).astype(np.float32)
    residual[:, 2] = 0.3 * inputs[:, 7]
    added = compensation.correction(residual - residual.mean(axis=0), inputs, np.ones_like(residual), IMAGE)
    assert added[2, 7] == pytest.approx(0.3 / 1.1, rel=0.02)
    assert np.abs(np.delete(added, 2, axis=0)).max() < 0.1
