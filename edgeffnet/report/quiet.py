"""Keeping the chatter of native libraries off the user's terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


def own_stderr() -> IO[str]:
    """A stream to the terminal that stays open while `quiet` turns standard error away."""
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError, AttributeError):  # replaced by something without a descriptor
        return sys.stderr


@contextmanager
def quiet() -> Iterator[None]:
    """Sends what is written to standard error's descriptor to a file that vanishes.

    TensorFlow, LiteRT and XNNPACK log from C++ before any Python setting reaches them; what goes
    wrong there also arrives as an exception.
    """
    try:
        number = sys.stderr.fileno()
        kept = os.dup(number)
    except (OSError, ValueError, AttributeError):
        yield
        return
    sys.stderr.flush()
    try:
        with tempfile.TemporaryFile() as away:
            os.dup2(away.fileno(), number)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(kept, number)
    finally:
        os.close(kept)
