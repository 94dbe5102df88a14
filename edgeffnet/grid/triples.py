"""alpha, beta and gamma, and the grid of them that is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from edgeffnet.errors import UsageError
from edgeffnet.rules import Coefficients, CompoundRule

# Finer grids tell apart what rounding to whole channels and blocks makes the same.
_FINEST_STEP = 0.01
_LARGEST_TARGET = 8.0


@dataclass(frozen=True, order=True)
class Triple:
    """The growth of depth (alpha), width (beta) and resolution (gamma) per unit of phi; each at least 1."""

    alpha: float
    beta: float
    gamma: float

    @property
    def flops_factor(self) -> float:
        """alpha beta^2 gamma^2: by how much the paper says multiply-adds grow (equation 3)."""
        return self.alpha * self.beta**2 * self.gamma**2

    @property
    def rule(self) -> CompoundRule:
        return CompoundRule(self.alpha, self.beta, self.gamma)

    @property
    def key(self) -> str:
        """What it is called in a journal, to the last digit."""
        return " ".join(str(float(one)) for one in (self.alpha, self.beta, self.gamma))

    def applied(self, base: Coefficients) -> Coefficients:
        """`base` at phi 1."""
        return Coefficients(
            width=base.width * self.beta,
            depth=base.depth * self.alpha,
            resolution=round(base.resolution * self.gamma),
        )

    def __str__(self) -> str:
        return f"alpha {self.alpha:g}, beta {self.beta:g}, gamma {self.gamma:g}"


@dataclass(frozen=True)
class Constraint:
    """Triples on a grid of `step`, whose cost at phi 1 is `target` times that of phi 0.

    `tolerance` is relative. At most `most` triples are kept, all where it is None.
    UsageError for values that leave no grid, or one too fine to mean anything.
    """

    target: float = 2.0
    tolerance: float = 0.05
    step: float = 0.05
    most: int | None = None

    def __post_init__(self) -> None:
        if not 1 < self.target <= _LARGEST_TARGET:
            raise UsageError(f"--factor {self.target:g} is not above 1 and at most {_LARGEST_TARGET:g}")
        if not 0 <= self.tolerance < 1:
            raise UsageError(f"--tolerance {self.tolerance:g} is not between 0 and 1")
        if not _FINEST_STEP <= self.step <= 1:
            raise UsageError(f"--step {self.step:g} is not between {_FINEST_STEP:g} and 1")
        if self.most is not None and self.most < 1:
            raise UsageError(f"--most {self.most} keeps no candidate")

    def met_by(self, factor: float) -> bool:
        """Whether a cost that grows by `factor` is near enough to the target."""
        return abs(factor / self.target - 1) <= self.tolerance + 1e-9

    def unmet(self, what: str, nearest: Triple, factor: float) -> UsageError:
        """The error of a constraint that no triple meets."""
        return UsageError(
            f"no alpha, beta and gamma in steps of {self.step:g} have {what} within {self.tolerance:.1%} of "
            f"{self.target:g}; nearest: {nearest}, with {factor:.3g}; widen --tolerance or make --step smaller"
        )


def axis(step: float, end: float) -> tuple[float, ...]:
    """1, 1 + `step`, ... up to `end`."""
    count = int((end - 1) / step + 1e-9) + 1
    # Rounded, so that a grid's 1.15 is the 1.15 that a person writes.
    return tuple(round(1 + step * index, 6) for index in range(count))


def grid(alphas: Sequence[float], betas: Sequence[float], gammas: Sequence[float]) -> tuple[Triple, ...]:
    """Every triple of these, in order."""
    return tuple(Triple(*values) for values in product(alphas, betas, gammas))
