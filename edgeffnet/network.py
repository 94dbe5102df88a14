"""Architecture -> keras.Model, and the list of tensors such a model holds.

Models are NHWC with a static batch of one unless `batch` says otherwise: a dynamic batch breaks
converters downstream. The input is already normalised; the output is logits or probabilities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from calib.folding import fold_batch_norm
from edgeffnet.architecture import Architecture, Block
from edgeffnet.errors import DataError
from edgeffnet.images import Preprocessing

if TYPE_CHECKING:
    import keras

Tensors = Mapping[str, NDArray[np.float32]]
Output = Literal["logits", "probabilities"]

_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def _convolutions(architecture: Architecture) -> list[tuple[str, str, tuple[int, ...], int]]:
    """(layer, its batch-norm or "", kernel shape in Keras' layout, output channels), in order."""
    net = architecture
    rows: list[tuple[str, str, tuple[int, ...], int]] = [
        ("stem_conv", "stem_bn", (3, 3, 3, net.stem_channels), net.stem_channels)
    ]
    for block in net.blocks():
        name, expanded = block.name, block.expanded_channels
        if block.expand != 1:
            rows.append((f"{name}_expand_conv", f"{name}_expand_bn", (1, 1, block.in_channels, expanded), expanded))
        rows.append((f"{name}_dwconv", f"{name}_bn", (block.kernel, block.kernel, expanded, 1), expanded))
        if block.se_channels:
            squeezed = block.se_channels
            rows.append((f"{name}_se_reduce", "", (1, 1, expanded, squeezed), squeezed))
            rows.append((f"{name}_se_expand", "", (1, 1, squeezed, expanded), expanded))
        rows.append(
            (f"{name}_project_conv", f"{name}_project_bn", (1, 1, expanded, block.out_channels), block.out_channels)
        )
    last = net.stages[-1].channels
    rows.append(("top_conv", "top_bn", (1, 1, last, net.head_channels), net.head_channels))
    rows.append(("predictions", "", (net.head_channels, net.classes), net.classes))
    return rows


def tensor_shapes(architecture: Architecture, *, folded: bool = False) -> dict[str, tuple[int, ...]]:
    """Every tensor of the network as "layer/tensor" -> shape; `folded` has biases for batch-norms."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, norm, kernel, channels in _convolutions(architecture):
        shapes[f"{layer}/kernel"] = kernel
        if norm and not folded:
            shapes.update({f"{norm}/{tensor}": (channels,) for tensor in _BATCH_NORM})
        else:
            shapes[f"{layer}/bias"] = (channels,)
    return shapes


def check(architecture: Architecture, tensors: Tensors, source: str, names: Mapping[str, str] | None = None) -> None:
    """Raises DataError naming the first missing, misshapen or non-finite tensor, or a surplus one.

    `names` are the source's own names of the tensors, mentioned beside ours.
    """

    def called(name: str) -> str:
        theirs = (names or {}).get(name, name)
        return f"tensor {name}" if theirs == name else f"tensor {theirs} ({name} here, in Keras' layout)"

    shapes = tensor_shapes(architecture)
    for name, shape in shapes.items():
        if name not in tensors:
            raise DataError(f"{source}: {called(name)} of {architecture.name} is missing")
        found = tensors[name].shape
        if found != shape:
            raise DataError(f"{source}: {called(name)} has shape {found}, {architecture.name} needs {shape}")
        if not np.isfinite(tensors[name]).all():
            raise DataError(f"{source}: {called(name)} holds NaN or infinity")
    surplus = sorted(set(tensors) - set(shapes))
    if surplus:
        raise DataError(f"{source}: {called(surplus[0])} does not belong to {architecture.name}")


def fold(architecture: Architecture, tensors: Tensors) -> dict[str, NDArray[np.float32]]:
    """The tensors of the same function without batch-norm: each convolution has a bias instead."""
    folded: dict[str, NDArray[np.float32]] = {}
    for layer, norm, _, _ in _convolutions(architecture):
        kernel = tensors[f"{layer}/kernel"]
        if norm:
            gamma, beta, mean, variance = (tensors[f"{norm}/{tensor}"] for tensor in _BATCH_NORM)
            axis = 2 if layer.endswith("dwconv") else 3
            folded[f"{layer}/kernel"], folded[f"{layer}/bias"] = fold_batch_norm(
                kernel, gamma, beta, mean, variance, architecture.bn_epsilon, axis
            )
        else:
            folded[f"{layer}/kernel"], folded[f"{layer}/bias"] = kernel, tensors[f"{layer}/bias"]
    return folded


def build(
    architecture: Architecture,
    *,
    folded: bool = False,
    output: Output = "logits",
    batch: int | None = 1,
    normalise: Preprocessing | None = None,
    drop_connect: float = 0.0,
) -> keras.Model:
    """The untrained keras.Model: float32 (batch, resolution, resolution, 3) -> (batch, classes).

    With `drop_connect` a residual branch is left out of a training step for an image by a chance that rises
    from 0 at the first block to that at the last (stochastic depth, Huang et al. 2016).

    With `normalise` the model takes pixels 0..255 and its first layer, `normalise`, applies that
    preprocessing's mean and std, before any padding; see `normalisation` for its tensors.
    """
    import keras

    net = architecture
    shape = (net.resolution, net.resolution, 3)
    inputs = keras.Input(shape=shape, batch_size=batch, name="image")
    builder = _Builder(net, folded)
    x = inputs if normalise is None else keras.layers.DepthwiseConv2D(1, name="normalise")(inputs)
    x = builder.conv(x, "stem_conv", "stem_bn", net.stem_channels, 3, 2)
    x = builder.activate(x, "stem_activation")
    blocks = list(net.blocks())
    for index, block in enumerate(blocks):
        x = builder.block(x, block, drop_connect * index / len(blocks))
    x = builder.conv(x, "top_conv", "top_bn", net.head_channels)
    x = builder.activate(x, "top_activation")
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if not folded:
        x = keras.layers.Dropout(net.dropout, name="top_dropout")(x)
    x = keras.layers.Dense(net.classes, name="predictions")(x)
    if output == "probabilities":
        x = keras.layers.Softmax(name="probabilities")(x)
    # TensorFlow takes only these characters in a name.
    return keras.Model(inputs, x, name=re.sub(r"[^A-Za-z0-9_.-]", "_", net.name))


def normalisation(preprocessing: Preprocessing) -> dict[str, NDArray[np.float32]]:
    """The tensors of the layer `normalise`: pixels to (x - mean) / std, channel by channel."""
    mean, std = np.asarray(preprocessing.mean), np.asarray(preprocessing.std)
    kernel = (1 / std).reshape(1, 1, 3, 1).astype(np.float32)
    return {"normalise/kernel": kernel, "normalise/bias": (-mean / std).astype(np.float32)}


def inference(architecture: Architecture, tensors: Tensors, normalise: Preprocessing | None = None) -> keras.Model:
    """The keras.Model of `tensors`, batch-norm folded, a batch of one, ending in probabilities; see `build`."""
    model = build(architecture, folded=True, output="probabilities", normalise=normalise)
    assign(model, fold(architecture, tensors) | (normalisation(normalise) if normalise else {}))
    return model


def assign(model: keras.Model, tensors: Tensors) -> None:
    """Sets every variable of `model` from "layer/tensor" names; the two must match exactly."""
    for layer in model.layers:
        for variable in layer.variables:
            if "seed" in variable.path:
                continue
            variable.assign(tensors[f"{layer.name}/{variable.name}"])


def extract(model: keras.Model) -> dict[str, NDArray[np.float32]]:
    """The inverse of `assign`: every tensor of `model` by its "layer/tensor" name."""
    return {
        f"{layer.name}/{variable.name}": np.asarray(variable.numpy(), np.float32)
        for layer in model.layers
        for variable in layer.variables
        if "seed" not in variable.path
    }


class _Builder:
    """Keras layers with this project's names, in the folded or the trainable form."""

    def __init__(self, architecture: Architecture, folded: bool) -> None:
        self.architecture = architecture
        self.folded = folded

    def block(self, entry: keras.KerasTensor, block: Block, dropped: float = 0.0) -> keras.KerasTensor:
        import keras

        name, x = block.name, entry
        if block.expand != 1:
            x = self.conv(x, f"{name}_expand_conv", f"{name}_expand_bn", block.expanded_channels)
            x = self.activate(x, f"{name}_expand_activation")
        x = self._depthwise(x, block)
        x = self.activate(x, f"{name}_activation")
        if block.se_channels:
            gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_se_squeeze")(x)
            gate = keras.layers.Conv2D(block.se_channels, 1, name=f"{name}_se_reduce")(gate)
            gate = self.activate(gate, f"{name}_se_reduce_activation")
            gate = keras.layers.Conv2D(block.expanded_channels, 1, name=f"{name}_se_expand")(gate)
            gate = keras.layers.Activation("sigmoid", name=f"{name}_se_gate")(gate)
            x = keras.layers.Multiply(name=f"{name}_se_excite")([x, gate])
        x = self.conv(x, f"{name}_project_conv", f"{name}_project_bn", block.out_channels)
        if not block.residual:
            return x
        if dropped:
            x = keras.layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
        return keras.layers.Add(name=f"{name}_add")([x, entry])

    def conv(
        self, x: keras.KerasTensor, name: str, norm: str, channels: int, kernel: int = 1, stride: int = 1
    ) -> keras.KerasTensor:
        import keras

        x, padding = self._pad(x, name, kernel, stride)
        x = keras.layers.Conv2D(channels, kernel, stride, padding, use_bias=self.folded, name=name)(x)
        return self._normalise(x, norm)

    def activate(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        import keras

        if self.architecture.activation == "relu6":
            return keras.layers.ReLU(6.0, name=name)(x)
        return keras.layers.Activation("swish", name=name)(x)

    def _depthwise(self, x: keras.KerasTensor, block: Block) -> keras.KerasTensor:
        import keras

        name = f"{block.name}_dwconv"
        x, padding = self._pad(x, name, block.kernel, block.stride)
        x = keras.layers.DepthwiseConv2D(block.kernel, block.stride, padding, use_bias=self.folded, name=name)(x)
        return self._normalise(x, f"{block.name}_bn")

    def _pad(self, x: keras.KerasTensor, name: str, kernel: int, stride: int) -> tuple[keras.KerasTensor, str]:
        import keras

        if self.architecture.padding == "same" or stride == 1:
            return x, "same"
        return keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x), "valid"

    def _normalise(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        import keras

        if self.folded:
            return x
        return keras.layers.BatchNormalization(epsilon=self.architecture.bn_epsilon, momentum=0.99, name=name)(x)
