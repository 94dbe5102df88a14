"""Two OpenVINO models of one network side by side: their common operators, and what an image makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.pairing import Output, Pair, Side, Values, common, linked
from edgeffnet.audit.scoring import Feed
from edgeffnet.audit.subject import Subject

# Operators that only carry, hold or round what others compute.
_SILENT = {"Constant", "Parameter", "Result", "Convert", "FakeQuantize", "Transpose", "Reshape", "Squeeze", "Unsqueeze"}


def opened(subject: Subject, reference: Subject) -> tuple[tuple[Pair, ...], Callable[[], tuple[Side, Side]]]:
    """The operators both models have, and what opens (reference, int8) to read them.

    OpenVINO numbers operators anew in each file: they are matched by kind and shape, in order.
    UnmatchedError where less than half of the reference's operators are in the int8 model.
    """
    ours, theirs = (_outputs(model) for model in (reference, subject))
    matched = common(ours, theirs)
    pairs = linked(ours, [(ours[one], theirs[other]) for one, other in matched])
    return pairs, lambda: (
        _Watched(reference, [pair.reference for pair in pairs]),
        _Watched(subject, [pair.int8 for pair in pairs]),
    )


def _outputs(model: Subject) -> list[Output]:
    """Operators that depend on the image, in the graph's order; an index is a place in that order."""
    ordered = _read(model).get_ordered_ops()
    place = {node.get_friendly_name(): index for index, node in enumerate(ordered)}
    behind: dict[int, tuple[int, ...]] = {}
    found = []
    for index, node in enumerate(ordered):
        sources = [place[value.get_node().get_friendly_name()] for value in node.input_values()]
        live = [source for source in sources if source in behind]
        if not live and node.get_type_name() != "Parameter":
            continue
        inputs = tuple(entry for source in live for entry in behind[source])
        silent = node.get_type_name() in _SILENT or node.get_output_size() != 1
        if silent or _goes_on(node) or node.output(0).partial_shape.is_dynamic:
            behind[index] = inputs
            continue
        behind[index] = (index,)
        names = sorted(node.output(0).get_names()) or [node.get_friendly_name()]
        shape = tuple(int(size) for size in node.output(0).shape)
        found.append(Output(names[0], node.get_type_name(), index, shape, inputs))
    return found


def _goes_on(node: Any) -> bool:
    """Whether bias or activation follow at once: a layer is then read behind them."""
    readers = [reader.get_node() for reader in node.output(0).get_target_inputs()]
    if len(readers) != 1 or readers[0].get_type_name() not in ("Add", "Clamp", "Relu"):
        return False
    others = [value.get_node() for value in readers[0].input_values() if value.get_node() != node]
    return all(other.get_type_name() == "Constant" for other in others)


def _read(model: Subject) -> Any:
    import openvino

    return openvino.Core().read_model(str(model.artifact.path))


class _Watched:
    """A model compiled with more outputs: one for each operator that is read, after its rounding."""

    def __init__(self, model: Subject, wanted: Sequence[int]) -> None:
        import openvino

        graph = _read(model)
        ordered = graph.get_ordered_ops()
        ports = [_rounded(ordered[index].output(0)) for index in wanted]
        self._grids = {index: _grid(port.get_node()) for index, port in zip(wanted, ports, strict=True)}
        graph.add_outputs(list({_name(port): port for port in ports}.values()))
        # An operator that was an output already has got no second one.
        places = {_name(result.input_value(0)): place for place, result in enumerate(graph.get_results())}
        self._places = {index: places[_name(port)] for index, port in zip(wanted, ports, strict=True)}
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._request = openvino.Core().compile_model(graph, "CPU", settings).create_infer_request()
        self._entry = self._request.get_input_tensor().data
        self._feed = Feed(model, model.preprocessing)

    def run(self, pixels: NDArray[np.uint8]) -> None:
        floats = self._entry.dtype == np.float32
        self._entry[...] = self._feed.preprocessing.normalise(pixels) if floats else self._feed.prepared(pixels)
        self._request.infer()

    def values(self, index: int) -> Values:
        held = np.asarray(self._request.get_output_tensor(self._places[index]).data, np.float32)
        channels_last = np.moveaxis(held, 1, -1) if held.ndim == 4 else held
        return np.asarray(channels_last.reshape(-1, channels_last.shape[-1]))

    def span(self, index: int) -> tuple[float, float] | None:
        return self._grids[index][0] if self._grids[index] else None

    def step(self, index: int) -> float:
        return self._grids[index][1] if self._grids[index] else 0.0


def _name(port: Any) -> str:
    return str(port.get_node().get_friendly_name())


def _rounded(port: Any) -> Any:
    """The output of the FakeQuantize that alone reads `port`, or else `port`."""
    readers = [reader.get_node() for reader in port.get_target_inputs()]
    if len(readers) == 1 and readers[0].get_type_name() == "FakeQuantize":
        return readers[0].output(0)
    return port


def _grid(node: Any) -> Any:
    """((lowest, highest), step) of a FakeQuantize with one range, else None."""
    if node.get_type_name() != "FakeQuantize":
        return None
    low, high = (np.asarray(node.input_value(port).get_node().get_data()) for port in (3, 4))
    if low.size != 1:
        return None
    return (float(low.reshape(-1)[0]), float(high.reshape(-1)[0])), float((high - low).reshape(-1)[0] / 255)
