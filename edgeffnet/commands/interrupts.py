"""Ctrl-C and SIGTERM: one exception, however deep they strike, and a word on what is kept."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Interrupt(KeyboardInterrupt):
    """A KeyboardInterrupt that `python -m` does not answer by killing itself.

    It does where a plain one has passed through an `exec` of text, as dataclasses do on import, even if it was handled.
    """


class Interrupts:
    """Turns SIGINT and SIGTERM into KeyboardInterrupt, and remembers that one came.

    Interrupted while it works, a native module may raise an error of its own instead.
    """

    came = False

    @classmethod
    def listen(cls) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, cls._raise)

    @classmethod
    def _raise(cls, *_: Any) -> None:
        cls.came = True
        raise Interrupt


@contextmanager
def when_interrupted(say: Callable[[], None]) -> Iterator[None]:
    """Calls `say` where the block is interrupted, whatever that was turned into on its way; the error goes on."""
    try:
        yield
    except BaseException as error:
        if Interrupts.came or isinstance(error, KeyboardInterrupt):
            say()
        raise
