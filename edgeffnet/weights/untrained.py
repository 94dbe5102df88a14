"""Random weights, for work on latency: nothing may be said about their accuracy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeffnet import network
from edgeffnet.architecture import Architecture
from edgeffnet.images import Preprocessing
from edgeffnet.weights.source import Contract, Provenance, Request, Weights, assemble, digest_of


def load(request: Request, seed: int) -> Weights:
    """Weights drawn with `seed`, `trained` False; the same seed and architecture give the same bytes.

    Kernels are drawn at the scale that keeps activations' variance (He et al. 2015), so that ranges
    stay those of a network at work. Preprocessing is EfficientNet-Lite's unless the request states one.
    """
    classes = request.architecture.classes if request.classes is None else request.classes
    architecture = replace(request.architecture, classes=classes)
    tensors = draw(architecture, seed)
    contract = Contract(
        padding=architecture.padding,
        bn_epsilon=architecture.bn_epsilon,
        provenance=Provenance("random weights, untrained", f"seed {seed}", "", digest_of(tensors), "none"),
        preprocessing=Preprocessing.lite(architecture.resolution),
    )
    return replace(assemble(request, tensors, contract, "random"), trained=False)


def draw(architecture: Architecture, seed: int) -> dict[str, NDArray[np.float32]]:
    """A tensor for every name of the network: normal kernels, identity batch-norms, zero biases."""
    generator = np.random.default_rng(seed)
    blocks = sum(1 for _ in architecture.blocks())
    ones = ("gamma", "moving_variance")
    tensors = {}
    for name, shape in network.tensor_shapes(architecture).items():
        layer, tensor = name.split("/")
        if tensor == "kernel":
            inputs = np.prod(shape[:2]) if layer.endswith("dwconv") else np.prod(shape[:-1])
            deviation = np.float32(np.sqrt(_gain(architecture, layer, blocks) / inputs))
            tensors[name] = generator.standard_normal(shape, np.float32) * deviation
        else:
            tensors[name] = np.full(shape, 1.0 if tensor in ones else 0.0, np.float32)
    return tensors


def _gain(architecture: Architecture, layer: str, blocks: int) -> float:
    """2 before a rectifier, which halves the variance; less where a sum follows."""
    if layer.endswith("project_conv"):
        # Fifty shortcuts would double the variance fifty times: bottlenecks add the less, the more there are.
        return {"mbconv": 1.0, "separable": 2.0, "bottleneck": 1.0 / blocks}[architecture.block]
    return 1.0 if layer.endswith(("predictions", "shortcut_conv")) else 2.0
