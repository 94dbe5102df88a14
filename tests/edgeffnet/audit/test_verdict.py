"""Gates: passed, failed, or not to be told with so many images."""

from __future__ import annotations

import numpy as np
import pytest

from edgeffnet.audit.accuracy import PairedAccuracy, paired_accuracy
from edgeffnet.audit.records import RECORD
from edgeffnet.audit.verdict import Gates, verdict
from edgeffnet.errors import UsageError


def counted(both: int, worse: int, better: int, neither: int) -> PairedAccuracy:
    """The accuracy of two models with so many images right in both, in the reference alone, and so on."""
    made = np.zeros(both + worse + better + neither, RECORD)
    made["reference"], made["int8"] = -1, -1
    made["label"] = 1
    made["reference"][:, 0] = made["int8"][:, 0] = 2
    made["reference"][: both + worse, 0] = 1
    made["int8"][:both, 0] = 1
    made["int8"][both + worse : both + worse + better, 0] = 1
    return paired_accuracy(made)


def test_a_clear_drop_fails_and_says_by_how_much() -> None:
    found = verdict(counted(900, 80, 5, 315), Gates(max_drop=1))
    assert found.passed is False
    (gate,) = found.gates
    assert gate.passed is False
    assert gate.value == pytest.approx(100 * 75 / 1300)
    assert gate.low > 1
    assert "5.77 points" in found.said


def test_a_small_drop_on_many_images_passes() -> None:
    found = verdict(counted(40_000, 300, 250, 9_450), Gates(max_drop=0.5, min_relative=0.99, min_agreement=97))
    assert found.passed is True
    assert [gate.name for gate in found.gates] == ["max-drop", "min-relative", "min-agreement"]


@pytest.mark.parametrize(
    ("gates", "counts"),
    [
        (Gates(max_drop=0.5), (1050, 13, 11, 226)),
        (Gates(max_drop=0.5), (1050, 25, 12, 213)),
        (Gates(min_relative=0.99), (1050, 16, 8, 226)),
        (Gates(min_agreement=98), (1050, 13, 11, 226)),
    ],
)
def test_images_that_cannot_tell_say_how_many_could(gates: Gates, counts: tuple[int, int, int, int]) -> None:
    found = verdict(counted(*counts), gates)
    assert found.passed is None
    (gate,) = found.gates
    assert gate.images_needed
    assert "cannot tell with 1,300 images" in found.said
    assert f"about {gate.images_needed:,} are needed" in found.said
    factor = gate.images_needed / sum(counts)
    enough = verdict(counted(*(round(count * factor * 1.1) for count in counts)), gates)
    assert enough.passed is not None, "a few more of the same kind do tell"
    fewer = verdict(counted(*(round(count * factor * 0.7) for count in counts)), gates)
    assert fewer.passed is None, "and much fewer do not"


def test_a_figure_at_its_limit_is_settled_by_no_number_of_images() -> None:
    found = verdict(counted(985, 10, 5, 0), Gates(max_drop=0.5))
    assert found.passed is None
    assert found.gates[0].images_needed is None
    assert "no feasible number" in found.said


def test_one_failed_gate_fails_whatever_the_others_say() -> None:
    found = verdict(counted(900, 80, 5, 315), Gates(max_drop=5.5, min_relative=0.99))
    assert [gate.passed for gate in found.gates] == [None, False]
    assert found.passed is False
    assert "relative" in found.said and "cannot tell" not in found.said


def test_without_gates_there_is_no_verdict() -> None:
    found = verdict(counted(900, 80, 5, 315), Gates())
    assert found.passed is None
    assert found.gates == ()


@pytest.mark.parametrize("gates", [Gates(max_drop=-1), Gates(min_relative=99), Gates(min_agreement=101)])
def test_a_gate_that_cannot_be_is_refused(gates: Gates) -> None:
    with pytest.raises(UsageError, match="it takes"):
        gates.require_possible()
