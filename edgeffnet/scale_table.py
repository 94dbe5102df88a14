"""The rows of the scaling table: what each network of a family is and costs, published figures beside ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from edgeffnet import cost, scaling
from edgeffnet.architecture import Architecture


@dataclass(frozen=True)
class Published:
    """What the authors print of a variant, rounded as they print it: parameters and multiply-adds."""

    parameters: float
    macs: float


# Tan & Le 2019, Table 2, and the README of the authors' EfficientNet-Lite.
PUBLISHED: dict[str, Published] = {
    "b0": Published(5.3e6, 0.39e9),
    "b1": Published(7.8e6, 0.70e9),
    "b2": Published(9.2e6, 1.0e9),
    "b3": Published(12e6, 1.8e9),
    "b4": Published(19e6, 4.2e9),
    "b5": Published(30e6, 9.9e9),
    "b6": Published(43e6, 19e9),
    "b7": Published(66e6, 37e9),
    "lite0": Published(4.7e6, 407e6),
    "lite1": Published(5.4e6, 631e6),
    "lite2": Published(6.1e6, 899e6),
    "lite3": Published(8.2e6, 1.44e9),
    "lite4": Published(13.0e6, 2.64e9),
}


@dataclass(frozen=True)
class ScaleRow:
    """One network at batch 1.

    `width` and `depth` are multipliers of the base network's, `resolution` is in pixels;
    `parameters` counts trainable ones, `macs` multiply-adds of convolutions and dense layers;
    bytes are those of the int8 form: of activations alive at once, of all that is read and written,
    and of the weights, a lower bound of its file. The published figures are None
    where nobody published this very network.
    """

    name: str
    family: str
    phi: float
    rule: str
    width: float
    depth: float
    resolution: int
    parameters: int
    macs: int
    activation_peak_bytes: int
    bytes_read: int
    bytes_written: int
    int8_bytes: int
    published_parameters: float | None
    published_macs: float | None

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON or a CSV row."""
        return asdict(self)


def row(architecture: Architecture) -> ScaleRow:
    """The table's row for `architecture`; no framework is imported."""
    costs = cost.total(architecture)
    variant = scaling.VARIANTS.get(architecture.name)
    as_published = (
        variant and architecture.classes == 1000 and architecture.resolution == variant.coefficients.resolution
    )
    published = PUBLISHED[architecture.name] if as_published else None
    return ScaleRow(
        name=architecture.name,
        family=architecture.family,
        phi=architecture.phi,
        rule=architecture.rule,
        width=architecture.width,
        depth=architecture.depth,
        resolution=architecture.resolution,
        parameters=costs.parameters,
        macs=costs.macs,
        activation_peak_bytes=costs.peak,
        bytes_read=costs.bytes_read,
        bytes_written=costs.bytes_written,
        int8_bytes=costs.int8_bytes,
        published_parameters=published.parameters if published else None,
        published_macs=published.macs if published else None,
    )


def rows(architectures: Iterable[Architecture]) -> tuple[ScaleRow, ...]:
    """The table, in the order given."""
    return tuple(row(architecture) for architecture in architectures)
