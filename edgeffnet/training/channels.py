"""Which channels of a checkpoint become those of a narrower or wider layer, and which of them matter most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeffnet.architecture import Activation, Architecture, Block
from edgeffnet.network import Tensors

Vector = NDArray[np.float64]

# Nodes of the Gauss-Hermite rule by which moments behind an activation are taken.
_NODES = 24


@dataclass(frozen=True)
class Channels:
    """Channel `index[i]` of the source becomes channel i; where `copied`, nothing reads it at first.

    What reads a layer's channels has zero weights for copies: the function stays, and training tells them apart.
    """

    index: NDArray[np.intp]
    copied: NDArray[np.bool_]


def resized(importance: Vector, count: int) -> Channels:
    """The `count` most important channels in their order; all of them and copies of the most important if fewer."""
    have = len(importance)
    ranked = np.argsort(-importance, kind="stable")
    if count <= have:
        return Channels(np.sort(ranked[:count]), np.zeros(count, np.bool_))
    extra = np.resize(ranked, count - have)
    return Channels(np.concatenate([np.arange(have), extra]), np.arange(count) >= have)


def of_expansion(tensors: Tensors, block: Block, net: Architecture) -> Vector:
    """Importance of a block's inner channels: how strong each is behind its activation, and how strongly it is read.

    A batch-norm tells a channel's distribution without data: normal, with mean beta and deviation gamma.
    """
    name = block.name
    strength = _behind_activation(tensors, f"{name}_bn", net.activation)
    return strength * _read(tensors, f"{name}_project_conv", f"{name}_project_bn", net.bn_epsilon)


def of_squeeze(tensors: Tensors, block: Block) -> Vector:
    """Importance of the channels between the two layers of a squeeze-and-excitation."""
    into = np.square(tensors[f"{block.name}_se_reduce/kernel"].astype(np.float64)).sum(axis=(0, 1, 2))
    out = np.square(tensors[f"{block.name}_se_expand/kernel"].astype(np.float64)).sum(axis=(0, 1, 3))
    return np.asarray(np.sqrt(into * out))


def of_stream(tensors: Tensors, stage: list[Block], reader: tuple[str, str], net: Architecture) -> Vector:
    """Importance of the channels that a stage's blocks add to, the next layer being `reader` (layer, batch-norm)."""
    written = sum(np.square(tensors[f"{block.name}_project_bn/gamma"].astype(np.float64)) for block in stage)
    readers = [(f"{block.name}_expand_conv", f"{block.name}_expand_bn") for block in stage[1:] if block.expand != 1]
    read = sum(np.square(_read(tensors, layer, norm, net.bn_epsilon)) for layer, norm in (*readers, reader))
    return np.asarray(np.sqrt(written * read))


def of_head(tensors: Tensors, net: Architecture) -> Vector:
    """Importance of the channels in front of the classifier."""
    strength = _behind_activation(tensors, "top_bn", net.activation)
    return np.asarray(strength * np.linalg.norm(tensors["predictions/kernel"].astype(np.float64), axis=1))


def _read(tensors: Tensors, layer: str, norm: str, epsilon: float) -> Vector:
    """How strongly a layer, its batch-norm folded in, reads each of its input channels; a depthwise one its own."""
    scale = tensors[f"{norm}/gamma"] / np.sqrt(tensors[f"{norm}/moving_variance"] + np.float32(epsilon))
    kernel = tensors[f"{layer}/kernel"].astype(np.float64)
    if layer.endswith("dwconv"):
        return np.asarray(np.linalg.norm(kernel[..., 0], axis=(0, 1)) * np.abs(scale))
    return np.asarray(np.linalg.norm(kernel[0, 0] * scale, axis=1))


def _behind_activation(tensors: Tensors, norm: str, activation: Activation) -> Vector:
    """The standard deviation of each channel behind a batch-norm and the activation."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    gamma, beta = (tensors[f"{norm}/{name}"].astype(np.float64) for name in ("gamma", "beta"))
    values = beta[:, None] + np.abs(gamma)[:, None] * nodes
    active = np.clip(values, 0, 6) if activation == "relu6" else values / (1 + np.exp(-values))
    mean = active @ weights
    return np.asarray(np.sqrt(np.maximum(np.square(active) @ weights - np.square(mean), 0)))
