"""The command line in a process that ends when the one that started it does, however that ends."""

from __future__ import annotations

import os
import signal
import sys

from edgeffnet.leash import leashed_to

PARENT = "EDGEFFNET_SWEEP_PARENT"

if __name__ == "__main__":
    if not leashed_to(int(os.environ[PARENT]), signal.SIGTERM):
        sys.exit(128 + signal.SIGTERM)
    from edgeffnet.cli import main

    main()
