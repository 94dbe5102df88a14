"""The accuracy an int8 artefact has to keep, and by how much it does."""

from __future__ import annotations

import math

from edgeffnet.budget import Budget
from edgeffnet.validation import Accuracy


def margin(found: Accuracy, budget: Budget) -> float:
    """Percentage points by which the tightest floor is cleared: negative where missed, infinite without one."""
    margins = [math.inf]
    if budget.drop is not None and found.drop is not None:
        margins.append(budget.drop - found.drop.value)
    if budget.agreement is not None:
        margins.append(100 * found.agreement.value - budget.agreement)
    return min(margins)


def said(found: Accuracy, budget: Budget) -> str:
    """What was kept beside what is asked, such as "loses 1.25 points of top-1, 0.5 allowed"."""
    told = []
    if budget.drop is not None and found.drop is not None:
        told.append(f"loses {found.drop.value:.2f} points of top-1, {budget.drop:g} allowed")
    if budget.agreement is not None:
        told.append(f"agrees with fp32 on {found.agreement.value:.2%}, {budget.agreement:g}% asked")
    return " and ".join(told)
