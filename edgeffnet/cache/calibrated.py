"""A calibration as files, and back: the same to the bit."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from calib.calibrate import Calibrated, Done
from calib.calibration import Calibration, Range
from calib.convergence import Convergence
from edgeffnet.json_file import read_json


def write(made: Calibrated, folder: Path) -> None:
    """Fills `folder`."""
    (folder / "model.tflite").write_bytes(made.model)
    (folder / "unrounded.tflite").write_bytes(made.unrounded)
    told = {
        "calibration": asdict(made.calibration),
        "steps": [asdict(step) for step in made.steps],
        "convergence": asdict(made.convergence) if made.convergence else None,
    }
    (folder / "calibration.json").write_text(json.dumps(told), encoding="utf-8")


def read(folder: Path) -> Calibrated:
    """What was written there."""
    told = read_json(folder / "calibration.json")
    held = told["calibration"]
    ranges = {name: Range(**found) for name, found in held.pop("ranges").items()}
    return Calibrated(
        model=(folder / "model.tflite").read_bytes(),
        calibration=Calibration(ranges=ranges, **held),
        steps=tuple(Done(**step) for step in told["steps"]),
        unrounded=(folder / "unrounded.tflite").read_bytes(),
        convergence=Convergence(**told["convergence"]) if told["convergence"] else None,
    )
