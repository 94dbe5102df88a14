"""Top-k classes of images by a bundle's model and contract; the base install suffices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.check import log_probabilities
from edgeffnet.bundle.contents import find_contract
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import read
from edgeffnet.report.quiet import quiet
from edgeffnet.targets import agent


@dataclass(frozen=True)
class Prediction:
    """The best classes of one image with their probabilities, best first."""

    image: str
    classes: tuple[tuple[str, float], ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def predict(model: Path, images: Sequence[Path], *, top: int = 5, threads: int = 1) -> tuple[Prediction, ...]:
    """The `top` classes of each image. DataError for a model or image that cannot be used."""
    with quiet():
        return _predict(model, images, top, threads)


def _predict(model: Path, images: Sequence[Path], top: int, threads: int) -> tuple[Prediction, ...]:
    preprocessing, labels, artifact = find_contract(model)
    try:
        loaded = agent.FORMATS[artifact.format](str(model), threads)
    except ImportError as error:
        raise UsageError(f"{model.name} needs {error.name}: pip install 'edgeffnet[build]'") from None
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{model}: cannot be loaded ({str(error).splitlines()[0]})") from None
    made = []
    for path in images:
        pixels = preprocessing.pixels(read(path))
        outputs = agent.scores(loaded, pixels, [*preprocessing.mean], [*preprocessing.std])
        scores = log_probabilities(outputs[None], artifact.output)[0]
        best = np.argsort(-scores, kind="stable")[:top]
        made.append(Prediction(str(path), tuple((labels[index], float(np.exp(scores[index]))) for index in best)))
    return tuple(made)
