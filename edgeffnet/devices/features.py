"""What a network asks of a processor, in the few quantities that time depends on.

Every operator of `edgeffnet.cost` adds to some of them; a fit then has one price for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edgeffnet.cost import Operator

Scaling = Literal["compute", "memory", "serial"]


@dataclass(frozen=True)
class Feature:
    """One quantity: its unit, how it shares among threads, and what it stands for."""

    name: str
    unit: str
    scaling: Scaling
    meaning: str


FEATURES: tuple[Feature, ...] = (
    Feature("pointwise", "multiply-add", "compute", "1x1 convolutions and dense layers"),
    Feature("depthwise3", "multiply-add", "compute", "depthwise, kernel 3 or less"),
    Feature("depthwise5", "multiply-add", "compute", "depthwise, kernel 5 or more"),
    Feature("convolution", "multiply-add", "compute", "other k x k convolutions, the stem among them"),
    Feature("output", "element", "compute", "results of convolutions: clamp, requantize, store"),
    Feature("activations", "byte", "memory", "activations moved, as far as they overflow the cache"),
    Feature("weights", "byte", "memory", "weights streamed once per inference"),
    Feature("elementwise", "element", "compute", "add, multiply, pool, pad: elements read and written"),
    Feature("sigmoid", "element", "compute", "sigmoids: the gates of swish and squeeze-and-excitation"),
    Feature("calls", "operator", "serial", "fixed cost of starting one operator"),
    Feature("selection", "score", "serial", "a detector's choice of boxes, on one core; 0 for a classifier"),
)

# A strided depthwise step reuses fewer of the rows it has loaded than one of stride 1.
_STRIDED_DEPTHWISE = 1.25


def features(operators: Iterable[Operator], *, element_bytes: int, cache_bytes: int, scores: int = 0) -> list[float]:
    """The amounts of `FEATURES`, in their order, for one inference at batch 1.

    A tensor much smaller than `cache_bytes` is still there when the next operator reads it, and
    one much larger is not: the share counted as moved rises smoothly from 0 to 1 between the two.
    """
    amounts = dict.fromkeys((feature.name for feature in FEATURES), 0.0)
    for operator in operators:
        if operator.kind in ("pointwise", "dense"):
            amounts["pointwise"] += operator.macs
        elif operator.kind == "depthwise":
            name = "depthwise3" if operator.kernel <= 3 else "depthwise5"
            amounts[name] += operator.macs * (_STRIDED_DEPTHWISE if operator.stride > 1 else 1.0)
        elif operator.kind == "conv":
            amounts["convolution"] += operator.macs
        elif operator.kind == "sigmoid":
            amounts["sigmoid"] += operator.elements_written
        else:
            amounts["elementwise"] += operator.elements_read + operator.elements_written
        if operator.kind in ("pointwise", "depthwise", "conv"):
            amounts["output"] += operator.elements_written
        moved = (operator.elements_read + operator.elements_written) * element_bytes
        amounts["activations"] += moved * moved / (moved + cache_bytes)
        amounts["weights"] += operator.weights * element_bytes
        amounts["calls"] += 1
    amounts["selection"] = scores
    return list(amounts.values())
