"""A network under training: forward, one step, and everything that has to be kept to go on exactly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet import network
from edgeffnet.architecture import Architecture
from edgeffnet.network import Tensors
from edgeffnet.training.objective import Objective
from edgeffnet.training.recipe import Recipe

if TYPE_CHECKING:
    pass

# RMSProp's, as the authors' code has it.
_RMSPROP_EPSILON = 1e-3
_OPTIMIZER, _AVERAGE = "optimizer/", "average/"

Teacher = Callable[[Any], Any]


@dataclass(frozen=True)
class _Group:
    """Variables that learn at `factor` times the classifier's rate."""

    variables: tuple[Any, ...]
    optimizer: Any
    factor: float


class Trainee:
    """`architecture` with `tensors`, trained by `recipe`; stages below `first_stage` stay as they are.

    `teacher` gives logits for the same images, which the network is to agree with too.
    """

    def __init__(
        self,
        architecture: Architecture,
        tensors: Tensors,
        recipe: Recipe,
        objective: Objective,
        *,
        first_stage: int = 0,
        teacher: Teacher | None = None,
    ) -> None:
        import tensorflow as tf

        self.architecture = architecture
        self.recipe = recipe
        self.objective = objective
        self.teacher = teacher
        self.model = network.build(architecture, batch=None, drop_connect=recipe.drop_connect)
        network.assign(self.model, tensors)
        self._dropouts = [layer for layer in self.model.layers if getattr(layer, "seed_generator", None) is not None]
        for layer in self.model.layers:
            if type(layer).__name__ == "BatchNormalization":
                layer.trainable = recipe.batch_norm == "trained" and stage_of(layer.name, architecture) >= first_stage
                layer.momentum = recipe.bn_momentum
        self.groups = self._grouped(first_stage)
        self.judged = self.model
        if recipe.average:
            self.judged = network.build(architecture, batch=None)
            network.assign(self.judged, tensors)
        self._step = tf.function(self._one_step, reduce_retracing=True)
        self._forward = tf.function(lambda images: self.judged(images, training=False), reduce_retracing=True)
        self._follow = tf.function(self._followed)
        self._steps = 0

    def begin(self, seed: int, epoch: int) -> None:
        """Sets every random choice inside the network to what it is at the start of that epoch."""
        for index, layer in enumerate(self._dropouts):
            drawn = np.random.default_rng((seed, epoch, index)).integers(0, 2**32, 2, np.uint32)
            layer.seed_generator.state.assign(drawn)

    def step(self, images: Any, targets: Any, rate: float) -> tuple[float, int]:
        """Learns from a batch at the factor `rate` of all rates; its loss before, and how many it had right."""
        for group in self.groups:
            group.optimizer.learning_rate = rate * self.recipe.rate * group.factor
        loss, right = self._step(images, targets)
        self._steps += 1
        if self.recipe.average:
            # Early on the average is of few steps, so that it soon leaves the beginning behind.
            self._follow(np.float32(min(self.recipe.average, (1 + self._steps) / (10 + self._steps))))
        return float(loss), int(right)

    def logits(self, images: Any) -> Any:
        """(n, classes) as the network is used: averaged weights where the recipe averages."""
        return self._forward(images)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The tensors that are judged, by their "layer/tensor" names."""
        return network.extract(self.judged)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next step depends on."""
        found: dict[str, NDArray[Any]] = dict(network.extract(self.model))
        for number, group in enumerate(self.groups):
            for index, variable in enumerate(group.optimizer.variables):
                found[f"{_OPTIMIZER}{number}/{index}"] = np.asarray(variable.numpy())
        if self.recipe.average:
            found |= {f"{_AVERAGE}{name}": value for name, value in self.weights().items()}
        return found | {"steps": np.array([self._steps], np.int64)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of `state`."""
        network.assign(self.model, state)
        for number, group in enumerate(self.groups):
            for index, variable in enumerate(group.optimizer.variables):
                variable.assign(state[f"{_OPTIMIZER}{number}/{index}"])
        if self.recipe.average:
            network.assign(
                self.judged, {key.removeprefix(_AVERAGE): v for key, v in state.items() if key.startswith(_AVERAGE)}
            )
        self._steps = int(state["steps"][0])

    def _one_step(self, images: Any, targets: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        variables = [variable for group in self.groups for variable in group.variables]
        opinion = self.teacher(images) if self.teacher else None
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = self.objective.loss(logits, targets, opinion)
            total = loss + self._penalty()
        gradients = iter(tape.gradient(total, [variable.value for variable in variables]))
        for group in self.groups:
            group.optimizer.apply([next(gradients) for _ in group.variables], list(group.variables))
        right = tf.equal(tf.argmax(logits, axis=1), tf.argmax(targets, axis=1))
        return loss, tf.reduce_sum(tf.cast(right, tf.int32))

    def _penalty(self) -> Any:
        """Weight decay as the paper has it, on kernels; AdamW has its own."""
        import tensorflow as tf

        if self.recipe.optimizer == "adamw":
            return tf.constant(0.0)
        kernels = [one.value for group in self.groups for one in group.variables if one.name == "kernel"]
        return self.recipe.weight_decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])

    def _followed(self, decay: Any) -> None:
        """The average takes a step towards the weights."""
        for layer in self.judged.layers:
            followed = self.model.get_layer(layer.name)
            for ours, theirs in zip(layer.weights, followed.weights, strict=True):
                ours.assign(ours * decay + theirs * (1 - decay))

    def _grouped(self, first_stage: int) -> tuple[_Group, ...]:
        last = len(self.architecture.stages) + 1
        found: dict[int, list[Any]] = {}
        for layer in self.model.layers:
            stage = stage_of(layer.name, self.architecture)
            if stage >= first_stage:
                found.setdefault(stage, []).extend(layer.trainable_variables)
        made = []
        for stage, variables in sorted(found.items()):
            if not variables:
                continue
            factor = self.recipe.body_rate * self.recipe.stage_factor ** (last - stage) if stage <= last else 1.0
            optimizer = _optimizer(self.recipe)
            optimizer.build(variables)
            made.append(_Group(tuple(variables), optimizer, factor))
        return tuple(made)


def stage_of(layer: str, architecture: Architecture) -> int:
    """0 for the stem, the number of its stage for a block, then the top convolution, then the classifier."""
    found = re.match(r"block(\d+)", layer)
    if found:
        return int(found[1])
    if layer.startswith("top_") or layer == "avg_pool":
        return len(architecture.stages) + 1
    return len(architecture.stages) + 2 if layer == "predictions" else 0


def with_classes(architecture: Architecture, tensors: Tensors, classes: int) -> tuple[Architecture, Tensors]:
    """The network with a classifier of so many classes, all of it zero."""
    shapes = {"predictions/kernel": (architecture.feature_channels, classes), "predictions/bias": (classes,)}
    fresh = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return replace(architecture, classes=classes), {**tensors, **fresh}


def _optimizer(recipe: Recipe) -> Any:
    import keras

    if recipe.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(recipe.rate, rho=0.9, momentum=0.9, epsilon=_RMSPROP_EPSILON)
    made = keras.optimizers.AdamW(recipe.rate, weight_decay=recipe.weight_decay)
    made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return made
