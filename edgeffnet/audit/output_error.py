"""How far int8's outputs are from the reference's, over all images."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from edgeffnet.audit.records import Records


@dataclass(frozen=True)
class OutputError:
    """Signal-to-noise of the logits in dB (None where they are equal), the largest error of a probability,
    and the mean Kullback-Leibler divergence from the reference in nats."""

    snr_db: float | None
    largest: float
    kl: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def output_error(records: Records) -> OutputError:
    """That of all `records`; the signal-to-noise ratio is `converters.check.difference`'s."""
    signal, noise = float(records["signal"].sum()), float(records["noise"].sum())
    return OutputError(
        snr_db=10 * math.log10(signal / noise) if noise > 0 and signal > 0 else None,
        largest=float(records["largest"].max()),
        kl=float(records["kl"].mean()),
    )
