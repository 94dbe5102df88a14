"""The check every artefact must pass, on differences planted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from converters.check import check, difference, log_probabilities
from converters.errors import ConversionError


def scores(seed: int = 0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 3, (8, 50)).astype(np.float32)
    return log_probabilities(logits, "logits")


def test_log_probabilities_of_logits_and_of_their_softmax_agree() -> None:
    made = scores()
    np.testing.assert_allclose(np.exp(made).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(log_probabilities(np.exp(made), "probabilities"), made, atol=1e-5)


def test_equal_scores_differ_by_nothing() -> None:
    found = difference(scores(), scores())
    assert (found.probability, found.logit, found.agreement) == (0, 0, 1)
    assert found.snr_db == float("inf")


def test_signal_to_noise_is_that_of_the_planted_noise() -> None:
    reference = np.random.default_rng(1).normal(0, 2, (400, 100)).astype(np.float32)
    noisy = reference + np.random.default_rng(2).normal(0, 0.2, reference.shape).astype(np.float32)
    assert difference(reference, noisy).snr_db == pytest.approx(20, abs=0.2)


def test_a_float_artefact_may_differ_by_a_hundredth_of_a_logit_and_no_more() -> None:
    nudged = scores()
    nudged[3, 7] += 0.009
    assert check("m", "fp32", scores(), nudged).logit == pytest.approx(0.009, abs=1e-4)
    nudged[3, 7] += 0.003
    with pytest.raises(ConversionError, match="logit"):
        check("m", "fp32", scores(), nudged)


def test_a_broken_int8_artefact_and_outputs_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ConversionError, match="dB"):
        check("m", "int8", scores(), scores(seed=9))
    with pytest.raises(ConversionError, match="not finite"):
        check("m", "int8", scores(), np.full_like(scores(), np.nan))
