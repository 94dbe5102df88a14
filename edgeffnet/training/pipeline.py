"""Images as batches, in tf.data: their order and what is done to each follow from seed and epoch alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet import images as image_files
from edgeffnet.images import LabelledImage, Preprocessing
from edgeffnet.training.augmentation import augmented
from edgeffnet.training.recipe import Augmentation

if TYPE_CHECKING:
    import tensorflow as tf

# Batches made ahead of the step that takes them.
_AHEAD = 4


@dataclass(frozen=True)
class Shuffled:
    """Training images in a new order each epoch, each a new random part of itself."""

    images: Sequence[LabelledImage]
    preprocessing: Preprocessing
    augmentation: Augmentation
    batch: int
    seed: int

    @property
    def steps(self) -> int:
        """Batches of an epoch: a remainder waits for another epoch, in which the order is another."""
        return max(1, len(self.images) // self.batch)

    def epoch(self, number: int) -> tf.data.Dataset:
        """Batches of (float32 images (n, h, w, 3), int64 labels (n,)) of epoch `number`."""
        import tensorflow as tf

        order = np.random.default_rng((self.seed, number)).permutation(len(self.images))
        chosen = order[: self.steps * self.batch]
        size = self.preprocessing.resolution

        def one(index: Any) -> tuple[Any, Any]:
            pixels, label = tf.numpy_function(
                lambda at: self._example(int(at), number), (index,), (tf.float32, tf.int64), stateful=False
            )
            pixels.set_shape((size, size, 3))
            label.set_shape(())
            return pixels, label

        made = tf.data.Dataset.from_tensor_slices(chosen)
        made = made.map(one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return made.batch(min(self.batch, len(self.images)), drop_remainder=True).prefetch(_AHEAD)

    def _example(self, index: int, epoch: int) -> tuple[NDArray[np.float32], np.int64]:
        image = self.images[index]
        generator = np.random.default_rng((self.seed, epoch, index))
        pixels = augmented(image_files.read(image.path), self.preprocessing, self.augmentation, generator)
        return self.preprocessing.normalise(pixels), np.int64(image.label or 0)


@dataclass(frozen=True)
class Ordered:
    """Images in their order, as a network sees them in use; `mirrored` ones are turned left to right."""

    images: Sequence[LabelledImage]
    preprocessing: Preprocessing
    mirrored: bool = False

    def batches(self, batch: int = 32) -> tf.data.Dataset:
        """Batches of float32 images (<= batch, h, w, 3), preprocessed as calibration and validation do."""
        import tensorflow as tf

        size = self.preprocessing.resolution

        def one(index: Any) -> Any:
            pixels = tf.numpy_function(lambda at: self._pixels(int(at)), (index,), tf.uint8, stateful=False)
            pixels.set_shape((size, size, 3))
            return pixels

        made = tf.data.Dataset.range(len(self.images))
        made = made.map(one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).batch(batch)
        normalised = made.map(
            lambda pixels: tf.numpy_function(self.preprocessing.normalise, (pixels,), tf.float32, stateful=False)
        )
        return normalised.map(lambda x: tf.ensure_shape(x, (None, size, size, 3))).prefetch(_AHEAD)

    def _pixels(self, index: int) -> NDArray[np.uint8]:
        pixels = self.preprocessing.pixels(image_files.read(self.images[index].path))
        return np.ascontiguousarray(pixels[:, ::-1]) if self.mirrored else pixels

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([image.label or 0 for image in self.images], np.int64)
