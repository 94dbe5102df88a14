"""TFLite files as objects: what converters share with `calib.graph`."""

from calib.graph import operator_name, read, tensor_name, write

__all__ = ["operator_name", "read", "tensor_name", "write"]
