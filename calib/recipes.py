"""Recipes: named lists of steps from a float model and images to what its int8 form needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calib.choice import MethodName
from calib.errors import CalibrationError
from calib.reconstruction import Reconstruction


@dataclass(frozen=True)
class Factors:
    """Per-channel factors: around swishes within `share` of the elements written, and in free groups."""

    share: float
    strength: float = 0.75


@dataclass(frozen=True)
class Ranges:
    """Ranges by `method` (`calib.choice`)."""

    method: MethodName = "mse"


@dataclass(frozen=True)
class Narrow:
    """Upper ends of swishes at the one of `shares` that serves the logits best, on `images` (`calib.narrowing`)."""

    images: int
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Reconstruct:
    """Biases and rounding, layer by layer, on up to `images` of the images (`calib.reconstruction`)."""

    images: int
    how: Reconstruction


Step = Factors | Ranges | Narrow | Reconstruct


@dataclass(frozen=True)
class Recipe:
    """Steps in the order they are taken."""

    name: str
    steps: tuple[Step, ...]


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("fast", (Ranges("mse"),)),
        Recipe(
            "default",
            (
                Factors(share=0.045),
                Ranges("mse"),
                Reconstruct(48, Reconstruction(least=512)),
            ),
        ),
        Recipe(
            "best",
            (
                Factors(share=0.045),
                Ranges("mse"),
                Narrow(32, (1.0, 0.85, 0.7, 0.6, 0.5, 0.4)),
                Reconstruct(150, Reconstruction(least=2048, samples=32768)),
            ),
        ),
    )
}


def named(name: str) -> Recipe:
    """The recipe called `name`; CalibrationError lists those there are."""
    if name not in RECIPES:
        raise CalibrationError(f"unknown recipe {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name]


def with_share(recipe: Recipe, share: float) -> Recipe:
    """`recipe` with another share of elements for factors around swishes: its price in latency."""
    steps = tuple(replace(step, share=share) if isinstance(step, Factors) else step for step in recipe.steps)
    return Recipe(recipe.name, steps)
