"""TensorFlow, imported once, without its chatter and on the CPU."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec

from edgeffnet.errors import UsageError


def require_build_tools() -> None:
    """Raises UsageError where this is the base install; imports nothing."""
    if find_spec("tensorflow") is None:
        raise UsageError("build needs the tools of a workstation: pip install 'edgeffnet[build]'")


def import_tensorflow() -> None:
    """Imports TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")
