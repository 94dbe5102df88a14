"""MediaPipe Tasks takes the `.tflite` files of a bundle as they are, and sees in images what we see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeffnet.bundle import contents
from edgeffnet.images import Pixels
from edgeffnet.targets import agent
from tests.integration.conftest import REAL_IMAGES, needed


@pytest.fixture(scope="module")
def vision() -> Any:
    try:
        from mediapipe.tasks.python import vision as found
    except ImportError as error:
        needed(False, f"needs mediapipe: {error}")
    return found


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_fp32.tflite"])
def test_image_classifier_gives_our_top_1_by_name(bundle: Path, cropped: Pixels, vision: Any, name: str) -> None:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions

    preprocessing, labels, _ = contents.find_contract(bundle / name)
    ours = agent.TFLiteModel(str(bundle / name), 1)
    options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=str(bundle / name)), max_results=1)
    ties = 0
    with vision.ImageClassifier.create_from_options(options) as theirs:
        for pixels in cropped:
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
            (best,) = theirs.classify(image).classifications[0].categories
            scores = agent.scores(ours, pixels, [*preprocessing.mean], [*preprocessing.std])
            # Classes whose 8-bit logits are equal share the first place, and MediaPipe names any of them.
            first = np.flatnonzero(scores == scores.max())
            ties += len(first) > 1
            assert best.index in first
            assert best.category_name == labels[best.index]
            assert best.score == pytest.approx(float(scores.max()), abs=1e-6)
    assert len(cropped) == REAL_IMAGES
    assert ties <= (3 if "int8" in name else 0)
