"""TensorFlow Lite Micro by its Python package: the memory a model takes there, and what it computes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.errors import UsageError

_PACKAGE = "tflite-micro"
_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")
_SECONDS = 600.0
# The arena a model is given to be measured in; more than any network for such processors takes.
_ROOM = 64 << 20
# A model of the largest kind takes many times its own size where its images are large.
_ROOM_PER_BYTE = 10

# In a process of its own: what the library cannot run, it may end.
_PROGRAM = """
import sys
import numpy as np
from tflite_micro import runtime
model, inputs, outputs, room = sys.argv[1:]
made = runtime.Interpreter.from_file(model, arena_size=int(room))
found = []
for image in np.load(inputs):
    made.set_input(image[None], 0)
    made.invoke()
    found.append(made.get_output(0)[0])
made.print_allocations()
np.save(outputs, np.stack(found))
"""


@dataclass(frozen=True)
class Run:
    """`arena` in bytes, as allocated with 64-bit pointers, and the model's own outputs (n, classes)."""

    arena: int
    outputs: NDArray[Any]


def installed() -> bool:
    """Whether the package is there."""
    return find_spec("tflite_micro") is not None


def require() -> None:
    """Raises UsageError where the package is missing."""
    if not installed():
        raise UsageError(f"memory on microcontrollers is measured with {_PACKAGE}: pip install 'edgeffnet[mcu]'")


def version() -> str:
    """The installed package's."""
    return metadata.version(_PACKAGE)


def run(model: Path, inputs: NDArray[Any]) -> Run:
    """What the `.tflite` returns for `inputs` (n, h, w, 3) of its own type, and what memory it took.

    Raises UsageError where the package is missing, and where it cannot run the model, with its reason.
    """
    require()
    with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
        fed, returned = Path(folder) / "inputs.npy", Path(folder) / "outputs.npy"
        np.save(fed, inputs)
        room = _ROOM + _ROOM_PER_BYTE * model.stat().st_size
        command = [sys.executable, "-P", "-c", _PROGRAM, str(model), str(fed), str(returned), str(room)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        total = _TOTAL.search(done.stderr)
        if done.returncode or total is None:
            said = [line for line in done.stderr.splitlines() if line and not line.startswith((" ", "Traceback"))]
            reason = said[0] if said else f"it ended with {done.returncode}"
            raise UsageError(
                f"{model.name}: TensorFlow Lite Micro cannot run it ({reason}); --io int8 --full-integer leaves "
                "integer operators only"
            )
        return Run(int(total[1]), np.load(returned))


def arena(model: Path, resolution: int, takes: str) -> int:
    """The bytes of memory that the `.tflite` takes for its tensors; errors as in `run`."""
    return run(model, np.zeros((1, resolution, resolution, 3), takes)).arena
