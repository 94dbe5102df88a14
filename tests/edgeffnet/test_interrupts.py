"""A word on what is kept, whatever an interrupt was turned into on its way."""

from __future__ import annotations

import pytest

from edgeffnet.commands.interrupts import Interrupts, when_interrupted


@pytest.mark.parametrize(
    ("error", "came", "said"),
    [
        (KeyboardInterrupt(), False, 1),
        (ImportError("a native module was interrupted"), True, 1),
        (ImportError("a module is missing"), False, 0),
    ],
)
def test_it_is_said_where_an_interrupt_came(
    error: BaseException, came: bool, said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Interrupts, "came", came)
    heard: list[str] = []
    with pytest.raises(type(error)), when_interrupted(lambda: heard.append("kept")):
        raise error
    assert len(heard) == said


def test_nothing_is_said_of_what_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interrupts, "came", False)
    heard: list[str] = []
    with when_interrupted(lambda: heard.append("kept")):
        pass
    assert not heard
