"""Does an artefact compute what the model it came from computes?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Output, Precision
from converters.errors import ConversionError

Scores = NDArray[np.float32]

# Float artefacts: the largest difference allowed in any probability and in any logit.
PROBABILITY_TOLERANCE = 1e-3
LOGIT_TOLERANCE = 1e-2
# int8: below this signal-to-noise ratio something broke; how good it is, validation says.
INT8_SNR_DB = 5.0

# Logits are recovered from probabilities; below this one, float32 softmax keeps no digits.
_SMALLEST_PROBABILITY = 1e-10


@dataclass(frozen=True)
class Difference:
    """How far an artefact's outputs are from its reference's, over the same images.

    `probability` and `logit` are the largest absolute differences; `snr_db` is the signal-to-noise
    ratio of the logits (each image's mean removed); `agreement` is the share of equal top-1.
    """

    images: int
    probability: float
    logit: float
    snr_db: float
    agreement: float


def difference(reference: Scores, scores: Scores) -> Difference:
    """Compares two (images, classes) arrays of log-probabilities."""
    signal = reference - reference.mean(axis=1, keepdims=True)
    noise = (scores - scores.mean(axis=1, keepdims=True)) - signal
    power = float(np.square(noise, dtype=np.float64).mean())
    ratio = float(np.square(signal, dtype=np.float64).mean()) / power if power else float("inf")
    kept = (reference > np.log(_SMALLEST_PROBABILITY)) & (scores > np.log(_SMALLEST_PROBABILITY))
    return Difference(
        images=len(reference),
        probability=float(np.abs(np.exp(scores) - np.exp(reference)).max()),
        logit=float(np.abs(np.where(kept, scores - reference, 0)).max()),
        snr_db=10 * float(np.log10(ratio)) if np.isfinite(ratio) and ratio > 0 else float("inf"),
        agreement=float((scores.argmax(axis=1) == reference.argmax(axis=1)).mean()),
    )


def log_probabilities(outputs: Scores, kind: Output) -> Scores:
    """An artefact's outputs, (images, classes), as natural logarithms of probabilities."""
    if kind == "probabilities":
        return np.log(np.maximum(outputs, np.finfo(np.float32).tiny), dtype=np.float32)
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float32)


def check(name: str, precision: Precision, reference: Scores, scores: Scores) -> Difference:
    """The difference of artefact `name` from its reference; ConversionError where it is too large."""
    if not np.isfinite(scores).all():
        raise ConversionError(f"{name}: outputs are not finite")
    found = difference(reference, scores)
    if precision == "fp32" and (found.probability > PROBABILITY_TOLERANCE or found.logit > LOGIT_TOLERANCE):
        raise ConversionError(
            f"{name}: differs from the Keras model by {found.probability:.2g} in a probability "
            f"and {found.logit:.2g} in a logit (allowed: {PROBABILITY_TOLERANCE:g}, {LOGIT_TOLERANCE:g})"
        )
    if precision == "int8" and found.snr_db < INT8_SNR_DB:
        raise ConversionError(
            f"{name}: signal-to-noise of its logits is {found.snr_db:.1f} dB against the float model "
            f"(at least {INT8_SNR_DB:g}): quantization broke it"
        )
    return found
