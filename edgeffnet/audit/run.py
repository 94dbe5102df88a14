"""Both models over all images: what is left of them is a record each, and the scores of some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.decoding import Unreadable, shard_size, shards
from edgeffnet.audit.journal import Entry, Journal
from edgeffnet.audit.predictions import Answer, Predictor
from edgeffnet.audit.records import RECORD, UNLABELLED, Records, records
from edgeffnet.audit.scoring import Feed, Scores
from edgeffnet.audit.subject import Subject
from edgeffnet.images import LabelledImage

# So many images keep all their scores, spread over the list; memory does not grow beyond them.
KEPT = 2048


@dataclass(frozen=True)
class Seen:
    """A record of each readable image, in order, and those that could not be read.

    `kept` are places of images whose log-probabilities `reference` and `int8` (n, classes) are held.
    `resumed` images were done by an earlier run.
    """

    records: Records
    unreadable: tuple[Unreadable, ...]
    kept: NDArray[np.int64]
    reference: Scores
    int8: Scores
    resumed: int


def run(
    int8: Subject,
    reference: Subject,
    images: Sequence[LabelledImage],
    predictor: Predictor,
    journal: Journal,
    advance: Callable[[int, int, str], None] | None = None,
) -> Seen:
    """Runs both models over `images`, but for what is in `journal`. Raises as `Predictor.stream` does."""
    size = min(shard_size(one.preprocessing.resolution) for one in (int8, reference))
    parts = shards(images, size)
    done = journal.done()
    keep = set(np.unique(np.linspace(0, len(images) - 1, min(KEPT, len(images))).round().astype(int)).tolist())
    floor = max(_smallest(one) for one in (int8, reference))
    left = [part for part in parts if part.number not in done]
    for answer in predictor.stream([Feed(one, one.preprocessing) for one in (int8, reference)], left, advance):
        journal.write(answer.shard.number, _entry(answer, keep, floor))
    entries = (journal.read(part.number) for part in parts)
    return _seen(entries, sum(len(part.images) for part in parts) - sum(len(part.images) for part in left))


def _entry(answer: Answer, keep: set[int], floor: float) -> Entry:
    if not answer.scores:
        nothing = np.zeros((0, 0), np.float32)
        return Entry(np.zeros(0, RECORD), answer.unreadable, (), nothing, nothing)
    int8, reference = answer.scores
    places = [int(index) for index in answer.indices]
    found = (answer.shard.images[place - answer.shard.start].label for place in places)
    labels = np.array([UNLABELLED if label is None else label for label in found], np.int64)
    kept = [row for row, place in enumerate(places) if place in keep]
    return Entry(
        records=records(answer.indices, labels, reference, int8, floor),
        unreadable=answer.unreadable,
        kept=tuple(places[row] for row in kept),
        reference=reference[kept],
        int8=int8[kept],
    )


def _seen(entries: Iterable[Entry], resumed: int) -> Seen:
    made = [np.zeros(0, RECORD)]
    unreadable: list[Unreadable] = []
    kept: list[int] = []
    scores: dict[str, list[Scores]] = {"reference": [], "int8": []}
    for entry in entries:
        made.append(entry.records)
        unreadable += entry.unreadable
        if entry.kept:
            kept += entry.kept
            scores["reference"].append(entry.reference)
            scores["int8"].append(entry.int8)
    both = {name: np.concatenate(found) if found else np.zeros((0, 0), np.float32) for name, found in scores.items()}
    return Seen(np.concatenate(made), tuple(unreadable), np.array(kept, np.int64), resumed=resumed, **both)


def _smallest(subject: Subject) -> float:
    """Half a step of an 8-bit output of probabilities: it tells no smaller one; 0 for other outputs."""
    gives = subject.gives
    integers = gives.dtype != "float32" and gives.scale is not None
    return (gives.scale or 0.0) / 2 if integers and subject.artifact.output == "probabilities" else 0.0
