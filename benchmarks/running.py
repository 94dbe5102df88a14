"""Running float and int8 artefacts: logits, the output that ships, and latency, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods import Artefact
from benchmarks.subjects import Subject
from calib import graph

Outputs = NDArray[np.float32]
One = Callable[[NDArray[np.float32]], tuple[Outputs, Outputs]]


@dataclass(frozen=True)
class Outcome:
    """What a model answered on a subject's images, (n, classes) each; milliseconds for one image."""

    logits: Outputs
    shipped: Outputs
    milliseconds: float


def run(artefact: Artefact, subject: Subject) -> Outcome:
    """All images one at a time; the latency is the lower quartile, least touched by other work."""
    one = runner(artefact)
    logits, shipped, times = [], [], []
    for pixels in subject.images:
        image = subject.preprocessing.normalise(pixels)[None]
        start = time.perf_counter()
        found = one(image)
        times.append(time.perf_counter() - start)
        logits.append(found[0])
        shipped.append(found[1])
    return Outcome(np.stack(logits), np.stack(shipped), float(np.quantile(times, 0.25)) * 1e3)


def runner(artefact: Artefact) -> One:
    """A function from one normalised image (1, h, w, 3) to its logits and what ships, on one thread."""
    return {"litert": _litert, "openvino": _openvino, "onnx": _onnx}[artefact.runtime](artefact.model)


def _litert(model: bytes) -> One:
    from ai_edge_litert.interpreter import Interpreter

    read = graph.read(model)
    main = read.subgraphs[0]
    softmax = next(op for op in main.operators if graph.operator_name(read, op) == "SOFTMAX")
    main.outputs = [int(softmax.inputs[0]), int(main.outputs[0])]
    read.signatureDefs = []
    interpreter = Interpreter(model_content=graph.write(read), num_threads=1)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    details = interpreter.get_output_details()

    def real(detail: Any) -> Outputs:
        values = interpreter.get_tensor(detail["index"])[0]
        scale, zero = detail["quantization"]
        return np.asarray((values.astype(np.float32) - zero) * scale if scale else values, np.float32)

    def one(image: NDArray[np.float32]) -> tuple[Outputs, Outputs]:
        scale, zero = entry["quantization"]
        if entry["dtype"] != np.float32:
            image = np.clip(np.rint(image / scale) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(entry["index"], image)
        interpreter.invoke()
        return real(details[0]), real(details[1])

    return one


def _openvino(model: Any) -> One:
    import openvino as ov

    model = model.clone()
    softmax = next(node for node in model.get_ops() if node.get_type_name() in ("Softmax", "SoftMax"))
    model.add_outputs([softmax.input_value(0)])
    # Where the machine has bfloat16, OpenVINO would compute what is left in float in it.
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()

    def one(image: NDArray[np.float32]) -> tuple[Outputs, Outputs]:
        request.infer({0: image})
        return request.get_output_tensor(1).data[0].copy(), request.get_output_tensor(0).data[0].copy()

    return one


def _onnx(model: bytes) -> One:
    import onnx
    import onnxruntime

    read = onnx.load_from_string(model)
    softmax = next(node for node in read.graph.node if node.op_type == "Softmax")
    read.graph.output.append(onnx.helper.make_tensor_value_info(softmax.input[0], onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(read.SerializeToString(), options)
    name = session.get_inputs()[0].name

    def one(image: NDArray[np.float32]) -> tuple[Outputs, Outputs]:
        shipped, logits = session.run(None, {name: image})
        return logits[0], shipped[0]

    return one
