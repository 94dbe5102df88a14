"""keras.Model -> a frozen TensorFlow function: the one source of every float artefact.

Keras 3 models converted through their concrete function lose their weights without a word unless
the variables are first turned into constants; saved-model export is sound but several times slower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

INPUT_NAME = "image"


@dataclass(frozen=True)
class Frozen:
    """A function without variables: one float32 NHWC input, one output, static shapes.

    `layers` are the Keras layers' names, with which converters name what they write.
    """

    function: Any
    layers: tuple[str, ...]

    @property
    def output_name(self) -> str:
        return str(self.function.outputs[0].name)

    @property
    def graph_def(self) -> Any:
        return self.function.graph.as_graph_def()


def freeze(model: Any) -> Frozen:
    """`model` (a keras.Model of one image input) as a function of constants, with a static batch of one."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32, name=INPUT_NAME)
    traced = tf.function(lambda image: model(image, training=False)).get_concrete_function(spec)
    return Frozen(convert_variables_to_constants_v2(traced), tuple(layer.name for layer in model.layers))
