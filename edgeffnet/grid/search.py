"""The search: candidates scored by an evaluator, best first, written down as they come."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeffnet.architecture import Architecture
from edgeffnet.grid.candidates import Candidate, Network, Progress, under_flops, under_latency
from edgeffnet.grid.costs import LatencyCost
from edgeffnet.grid.triples import Constraint, Triple
from edgeffnet.journal import Journal


@dataclass(frozen=True)
class Score:
    """What a network is worth: a larger `value` is better.

    `spread` is the standard deviation over `seeds` runs, None where there was one; `rests_on` says in words what
    the score was taken from.
    """

    value: float
    spread: float | None = None
    seeds: int = 1
    rests_on: str = ""


Evaluator = Callable[[Architecture], "Score | float"]


@dataclass(frozen=True)
class Scored:
    """A candidate with its score, or with the reason why it has none."""

    candidate: Candidate
    score: Score | None
    failure: str | None = None


@dataclass(frozen=True)
class Ranking:
    """Candidates, best first, those without a score last; `constrained` says what grows by the target.

    `resumed` counts findings that an earlier run had left in the journal.
    """

    network: Network
    constraint: Constraint
    constrained: str
    candidates: tuple[Scored, ...]
    resumed: int = 0

    @property
    def best(self) -> Scored | None:
        """The first with a score."""
        return self.candidates[0] if self.candidates and self.candidates[0].score else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "family": self.network.family,
            "base": asdict(self.network.base),
            "constraint": asdict(self.constraint),
            "constrained": self.constrained,
            "candidates": [
                {
                    **asdict(one.candidate.triple),
                    "factor": one.candidate.factor,
                    "factor_kind": one.candidate.kind,
                    "macs_factor": one.candidate.macs_factor,
                    "network": one.candidate.architecture.name,
                    "score": None if one.score is None else asdict(one.score),
                    "failure": one.failure,
                }
                for one in self.candidates
            ],
        }


def search(
    evaluate: Evaluator | None = None,
    *,
    network: Network | None = None,
    constraint: Constraint | None = None,
    latency: LatencyCost | None = None,
    journal: Path | None = None,
    evaluator_name: str = "",
    progress: Progress = lambda *_: None,
) -> Ranking:
    """Ranks the triples that meet `constraint` by what `evaluate` says of their networks at phi 1.

    The constraint is on FLOPs by the rule, or on `latency`. Without an evaluator the candidates are listed in order.
    An evaluator that raises, or returns no finite number, costs its candidate the score and nothing else. With a
    `journal` a search that was killed goes on where it was and ends in the same ranking; `evaluator_name` tells
    evaluators apart there. Equal scores are ranked by fewer multiply-adds.

    Raises UsageError where no triple meets the constraint, or the journal is of another search.
    """
    network, constraint = network or Network(), constraint or Constraint()
    constrained = latency.said if latency else "FLOPs: alpha*beta^2*gamma^2"
    question = {
        "family": network.family,
        "base": asdict(network.base),
        "classes": network.classes,
        "constraint": asdict(constraint),
        "constrained": constrained,
        "evaluator": evaluator_name,
    }
    book = Journal(journal, question)
    if latency is None:
        found = under_flops(network, constraint)
    else:
        found = under_latency(network, constraint, latency, book, progress)
    if evaluate is None:
        listed = tuple(Scored(candidate, None) for candidate in found)
        return Ranking(network, constraint, constrained, listed, book.resumed)
    scored = []
    for index, candidate in enumerate(found):
        progress(index, len(found), f"score of {candidate.triple}")
        scored.append(_scored(candidate, evaluate, book))
    return Ranking(network, constraint, constrained, tuple(sorted(scored, key=_rank)), book.resumed)


def _scored(candidate: Candidate, evaluate: Evaluator, journal: Journal) -> Scored:
    found = score_of(candidate.architecture, candidate.triple, evaluate, journal)
    return Scored(candidate, None, found) if isinstance(found, str) else Scored(candidate, found)


def score_of(net: Architecture, triple: Triple, evaluate: Evaluator, journal: Journal) -> Score | str:
    """What `evaluate` says of `net`, from the journal where it is there; or in words why it says nothing."""
    known = journal.get(f"score {triple.key}")
    if known is None:
        known = _asked(net, evaluate)
        journal.put(f"score {triple.key}", known)
    return str(known["failure"]) if "failure" in known else Score(**known)


def _asked(net: Architecture, evaluate: Evaluator) -> dict[str, Any]:
    """The score as plain data, or the failure."""
    try:
        found = evaluate(net)
        score = replace(found, value=float(found.value)) if isinstance(found, Score) else Score(float(found))
    except Exception as error:  # whatever a user's evaluator raises: the other candidates have theirs to come
        return {"failure": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    if not math.isfinite(score.value):
        return {"failure": f"the score is {score.value}"}
    return asdict(score)


def _rank(one: Scored) -> tuple[float, float, Triple]:
    value = -math.inf if one.score is None else one.score.value
    return -value, one.candidate.macs_factor, one.candidate.triple
