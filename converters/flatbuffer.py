"""TFLite files as objects: what converters share with `calib.graph`, and operator codes."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from calib.graph import operator_name, read, tensor_name, write

__all__ = ["operator_code", "operator_name", "read", "tensor_name", "write"]

# The first version of each operator that knows the types we give it.
_VERSIONS = {schema.BuiltinOperator.DEQUANTIZE: 2}


def operator_code(model: Any, builtin: int) -> int:
    """The index of a builtin operator's code in `model`, added where it has none."""
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return index
    made = schema.OperatorCodeT()
    made.builtinCode = made.deprecatedBuiltinCode = builtin
    made.version = _VERSIONS.get(builtin, 1)
    model.operatorCodes.append(made)
    return len(model.operatorCodes) - 1
