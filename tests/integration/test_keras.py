"""The float `.tflite` of a bundle sees in real images what the Keras model sees that it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeffnet import network, weights
from edgeffnet.bundle import contents
from edgeffnet.images import Pixels
from edgeffnet.targets import agent
from tests.integration.conftest import REAL_IMAGES


def test_the_same_top_1_and_nearly_the_same_probabilities(bundle: Path, cropped: Pixels) -> None:
    path = bundle / "model_fp32.tflite"
    preprocessing, _, _ = contents.find_contract(path)
    loaded = weights.load("imagenet", variant="lite0")
    keras_model = network.inference(loaded.architecture, loaded.tensors)
    ours = agent.TFLiteModel(str(path), 1)
    for pixels in cropped:
        expected = keras_model(preprocessing.normalise(pixels)[None]).numpy()[0]
        scores = agent.scores(ours, pixels, [*preprocessing.mean], [*preprocessing.std])
        assert scores.argmax() == expected.argmax()
        np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert len(cropped) == REAL_IMAGES
