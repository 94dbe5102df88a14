"""Errors a user can act on: one line each, naming the file or option and the way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class EdgeffnetError(Exception):
    """Base of every error edgeffnet raises on purpose; `exit_code` is what the command returns."""

    exit_code = 1


class UsageError(EdgeffnetError):
    """An option, a value or an output folder that cannot be used."""

    exit_code = 2


class BudgetError(EdgeffnetError):
    """No phi meets the budget; the message names the nearest candidate."""

    exit_code = 3


class AccuracyError(EdgeffnetError):
    """The accuracy floor is not met; the message names what was reached."""

    exit_code = 4


class TargetError(EdgeffnetError):
    """A target that is unreachable, lost, or lacks what the job needs."""

    exit_code = 5


class TargetLostError(TargetError):
    """A target that was there and went away; `results` are those it had answered by then."""

    def __init__(self, message: str, results: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.results = list(results)


class DataError(EdgeffnetError):
    """Images, labels or weights that are missing, damaged or of another kind."""

    exit_code = 6


class ArtifactError(EdgeffnetError):
    """An artefact that failed its check against the model it came from."""

    exit_code = 7


class TrainingError(EdgeffnetError):
    """Training that diverged; the message says when, and which weights are kept."""

    exit_code = 8
