"""The command line in a process that ends when the one that started it does, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT = "EDGEFFNET_SWEEP_PARENT"
_PR_SET_PDEATHSIG = 1


def _leash() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(os.environ[PARENT]):  # it ended before
        sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    _leash()
    from edgeffnet.cli import main

    main()
