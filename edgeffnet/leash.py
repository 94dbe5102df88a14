"""Ending with the process that started this one, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def leashed_to(parent: int, how: signal.Signals) -> bool:
    """Has the kernel send `how` here when process `parent` ends; False where it has ended already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
    return os.getppid() == parent
