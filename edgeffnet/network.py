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
from edgeffnet.convolutions import convolutions
from edgeffnet.errors import DataError
from edgeffnet.images import Preprocessing

if TYPE_CHECKING:
    import keras

Tensors = Mapping[str, NDArray[np.float32]]
Output = Literal["logits", "probabilities"]

_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def tensor_shapes(architecture: Architecture, *, folded: bool = False) -> dict[str, tuple[int, ...]]:
    """Every tensor of the network as "layer/tensor" -> shape; `folded` has biases for batch-norms."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in convolutions(architecture):
        shapes[f"{layer.name}/kernel"] = layer.kernel
        if layer.biased or folded:
            shapes[f"{layer.name}/bias"] = (layer.channels,)
        if layer.norm and not folded:
            shapes.update({f"{layer.norm}/{tensor}": (layer.channels,) for tensor in _BATCH_NORM})
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
    for layer in convolutions(architecture):
        kernel, name = tensors[f"{layer.name}/kernel"], layer.name
        if layer.norm:
            gamma, beta, mean, variance = (tensors[f"{layer.norm}/{tensor}"] for tensor in _BATCH_NORM)
            # Batch-norm subtracts its mean from what the bias has moved.
            mean = mean - tensors[f"{name}/bias"] if layer.biased else mean
            axis = 2 if layer.depthwise else 3
            folded[f"{name}/kernel"], folded[f"{name}/bias"] = fold_batch_norm(
                kernel, gamma, beta, mean, variance, architecture.bn_epsilon, axis
            )
        else:
            folded[f"{name}/kernel"], folded[f"{name}/bias"] = kernel, tensors[f"{name}/bias"]
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
    x = builder.conv(x, "stem_conv", "stem_bn", net.stem_channels, net.stem_kernel, 2)
    x = builder.activate(x, "stem_activation")
    x = builder.pool(x, "stem_pool") if net.stem_pool else x
    blocks = list(net.blocks())
    for index, block in enumerate(blocks):
        x = builder.block(x, block, drop_connect * index / len(blocks))
    if net.head_channels:
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
    """Keras layers with this project's names, in the folded or the trainable form; biased where the network is."""

    def __init__(self, architecture: Architecture, folded: bool) -> None:
        self.architecture = architecture
        self.folded = folded

    def block(self, entry: keras.KerasTensor, block: Block, dropped: float = 0.0) -> keras.KerasTensor:
        import keras

        if block.kind == "separable":
            return self._separable(entry, block)
        if block.kind == "bottleneck":
            return self._bottleneck(entry, block, dropped)
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
        return self._add(name, x, entry, dropped) if block.residual else x

    def _separable(self, x: keras.KerasTensor, block: Block) -> keras.KerasTensor:
        name = block.name
        x = self.activate(self._depthwise(x, block), f"{name}_activation")
        x = self.conv(x, f"{name}_project_conv", f"{name}_project_bn", block.out_channels)
        return self.activate(x, f"{name}_project_activation")

    def _bottleneck(self, entry: keras.KerasTensor, block: Block, dropped: float) -> keras.KerasTensor:
        name, inner, leaving = block.name, block.expanded_channels, block.out_channels
        shortcut = entry
        if block.projected:
            shortcut = self.conv(entry, f"{name}_shortcut_conv", f"{name}_shortcut_bn", leaving, stride=block.stride)
        x = self.conv(entry, f"{name}_reduce_conv", f"{name}_reduce_bn", inner, stride=block.stride)
        x = self.activate(x, f"{name}_reduce_activation")
        x = self.activate(self.conv(x, f"{name}_conv", f"{name}_bn", inner, block.kernel), f"{name}_activation")
        x = self.conv(x, f"{name}_project_conv", f"{name}_project_bn", leaving)
        return self.activate(self._add(name, x, shortcut, dropped), f"{name}_add_activation")

    def _add(self, name: str, x: keras.KerasTensor, shortcut: keras.KerasTensor, dropped: float) -> keras.KerasTensor:
        import keras

        if dropped:
            x = keras.layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
        return keras.layers.Add(name=f"{name}_add")([x, shortcut])

    def pool(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """Maxima of 3 x 3, strided by 2; what is pooled is never negative, so zeros pad it."""
        import keras

        x, padding = self._pad(x, name, 3, 2)
        return keras.layers.MaxPooling2D(3, 2, padding, name=name)(x)

    def conv(
        self, x: keras.KerasTensor, name: str, norm: str, channels: int, kernel: int = 1, stride: int = 1
    ) -> keras.KerasTensor:
        import keras

        x, padding = self._pad(x, name, kernel, stride)
        biased = self.folded or self.architecture.biased
        x = keras.layers.Conv2D(channels, kernel, stride, padding, use_bias=biased, name=name)(x)
        return self._normalise(x, norm)

    def activate(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        import keras

        if self.architecture.activation in ("relu", "relu6"):
            bound = 6.0 if self.architecture.activation == "relu6" else None
            return keras.layers.ReLU(bound, name=name)(x)
        return keras.layers.Activation("swish", name=name)(x)

    def _depthwise(self, x: keras.KerasTensor, block: Block) -> keras.KerasTensor:
        import keras

        name = f"{block.name}_dwconv"
        x, padding = self._pad(x, name, block.kernel, block.stride)
        x = keras.layers.DepthwiseConv2D(block.kernel, block.stride, padding, use_bias=self.folded, name=name)(x)
        return self._normalise(x, f"{block.name}_bn")

    def _pad(self, x: keras.KerasTensor, name: str, kernel: int, stride: int) -> tuple[keras.KerasTensor, str]:
        import keras

        if self.architecture.padding == "same" or stride == 1 or kernel == 1:
            return x, "same"
        return keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x), "valid"

    def _normalise(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        import keras

        if self.folded:
            return x
        return keras.layers.BatchNormalization(epsilon=self.architecture.bn_epsilon, momentum=0.99, name=name)(x)
