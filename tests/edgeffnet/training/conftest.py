"""Small sets of pictures whose classes can be told apart by colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.edgeffnet.weights.conftest import torch, torchvision

__all__ = ["torch", "torchvision"]

Painted = Callable[..., Path]
COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (200, 50, 40), "yellow": (220, 210, 40)}


def paint(path: Path, colour: tuple[int, int, int], seed: int, side: int = 72) -> None:
    """A noisy picture of one colour with a darker shape somewhere, each seed its own."""
    generator = np.random.default_rng(seed)
    pixels = np.full((side, side + 8, 3), colour, np.float32) + generator.normal(0, 12, (side, side + 8, 1))
    blocks = np.kron(generator.uniform(0.5, 1.2, (6, 8)), np.ones((side // 6, (side + 8) // 8)))
    pixels[: blocks.shape[0], : blocks.shape[1]] *= blocks[..., None]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def painted(tmp_path: Path) -> Painted:
    """Makes a folder of class folders: `painted({"red": 8, "blue": 8}, under="train")`."""

    def make(counts: dict[str, int], *, under: str = "", name: str = "pictures", first: int = 0) -> Path:
        root = tmp_path / name
        for number, (label, count) in enumerate(counts.items()):
            folder = root / under / label
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                paint(folder / f"{label}{first + index}.png", COLOURS[label], 1000 * number + first + index)
        return root

    return make
