"""Real photographs to compare outputs on, and the libraries whose checkpoints are imported."""

import os

import numpy as np
import pytest
from PIL import Image

from edgeffnet.images import Preprocessing

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def photographs():
    """uint8 (2, 600, 600, 3) of a cat and a rocket."""
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photographs")
    square = Preprocessing(600, 1.0, "bicubic", (0.0,) * 3, (1.0,) * 3)
    return np.stack([square.pixels(Image.fromarray(image)) for image in (data.chelsea(), data.rocket())])


@pytest.fixture(scope="session")
def torch():
    return pytest.importorskip("torch", reason="torch's own files and outputs are what importers are held to")


@pytest.fixture(scope="session")
def torchvision(torch):
    """torchvision, whose wheel on PyPI is built for CUDA.

    Beside a CPU build of torch its operators do not load, and its import stops at describing two
    of them, so those two are declared first. The networks use neither.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    yield pytest.importorskip("torchvision", reason="its files and outputs are what importers are held to")
    del library


@pytest.fixture(scope="session")
def timm(torchvision):  # noqa: ARG001 - timm imports torchvision, which has to be importable first
    return pytest.importorskip("timm", reason="its files and outputs are what importers are held to")
