"""One model in one runtime over some images: a script for a process of its own, which may crash.

`python one_runtime.py JOB.json` reads {"runtime", "model", "pixels", "mean", "std", "threads", "output"} and
writes float32 scores (n, classes) to `output` (.npy); it prints the runtime's name and version, or why it failed.
`runtime` is one of RUNTIMES. Nothing of edgeffnet is imported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Run = Callable[[Array], Array]


def fed(pixels: Array, mean: list[float], std: list[float], dtype: np.dtype[Any]) -> Array:
    """Raw pixels uint8 (1, h, w, 3) as an input of type `dtype` takes them."""
    if dtype == np.float32:
        return (pixels.astype(np.float32) - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return (pixels.astype(np.int16) - 128).astype(np.int8) if dtype == np.int8 else pixels


def _interpreter(make: Callable[..., Any], job: dict[str, Any], **options: Any) -> Run:
    interpreter = make(model_path=job["model"], num_threads=job["threads"], **options)
    interpreter.allocate_tensors()
    entry, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(pixels: Array) -> Array:
        interpreter.set_tensor(entry["index"], fed(pixels, job["mean"], job["std"], np.dtype(entry["dtype"])))
        interpreter.invoke()
        values = np.asarray(interpreter.get_tensor(result["index"]))
        scale, zero_point = result["quantization"]
        return values if values.dtype == np.float32 else (values.astype(np.float32) - zero_point) * np.float32(scale)

    return run


def _litert(resolver: str) -> Callable[[dict[str, Any]], tuple[str, Run]]:
    def made(job: dict[str, Any]) -> tuple[str, Run]:
        from ai_edge_litert import interpreter

        kind = getattr(interpreter.OpResolverType, resolver)
        return _version("ai-edge-litert"), _interpreter(
            interpreter.Interpreter, job, experimental_op_resolver_type=kind
        )

    return made


def _tflite_runtime(job: dict[str, Any]) -> tuple[str, Run]:
    from tflite_runtime import interpreter

    return _version("tflite-runtime"), _interpreter(interpreter.Interpreter, job)


def _tensorflow(job: dict[str, Any]) -> tuple[str, Run]:
    import tensorflow as tf

    return str(tf.__version__), _interpreter(tf.lite.Interpreter, job)


def _openvino(job: dict[str, Any]) -> tuple[str, Run]:
    return _compiled(job, {})


def _openvino_in_float(job: dict[str, Any]) -> tuple[str, Run]:
    """The same grids without integer products, as the agent replays them."""
    return _compiled(job, {"LP_TRANSFORMS_MODE": "NO"})


def _compiled(job: dict[str, Any], more: dict[str, Any]) -> tuple[str, Run]:
    import openvino

    settings = {
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": job["threads"],
        **more,
    }
    request = openvino.Core().compile_model(job["model"], "CPU", settings).create_infer_request()
    entry = request.get_input_tensor().data
    grid = _output_grid(job["model"])

    def run(pixels: Array) -> Array:
        entry[...] = fed(pixels, job["mean"], job["std"], entry.dtype)
        request.infer()
        values = np.array(request.get_output_tensor().data)
        if values.dtype == np.float32 or grid is None:
            return values.astype(np.float32)
        return (values.astype(np.float32) - grid[1]) * np.float32(grid[0])

    return str(openvino.__version__).split("-")[0], run


def _output_grid(model: str) -> tuple[float, int] | None:
    """Scale and zero point of a `.tflite`'s output, which OpenVINO does not tell."""
    if not model.endswith(".tflite"):
        return None
    from ai_edge_litert.interpreter import Interpreter

    scale, zero_point = Interpreter(model_path=model).get_output_details()[0]["quantization"]
    return (float(scale), int(zero_point)) if scale else None


def _onnxruntime(job: dict[str, Any]) -> tuple[str, Run]:
    import onnxruntime

    session = onnxruntime.InferenceSession(job["model"], providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    dtypes = {"tensor(uint8)": np.uint8, "tensor(int8)": np.int8}
    dtype = np.dtype(dtypes.get(entry.type, np.float32))
    planar = len(entry.shape) == 4 and entry.shape[1] == 3

    def run(pixels: Array) -> Array:
        taken = fed(pixels, job["mean"], job["std"], dtype)
        return np.asarray(session.run(None, {entry.name: taken.transpose(0, 3, 1, 2) if planar else taken})[0])

    return str(onnxruntime.__version__), run


def _version(package: str) -> str:
    from importlib import metadata

    return metadata.version(package)


RUNTIMES: dict[str, Callable[[dict[str, Any]], tuple[str, Run]]] = {
    "LiteRT": _litert("AUTO"),
    "LiteRT without XNNPACK": _litert("BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
    "LiteRT reference kernels": _litert("BUILTIN_REF"),
    "tflite-runtime": _tflite_runtime,
    "TensorFlow": _tensorflow,
    "OpenVINO": _openvino,
    "OpenVINO in float": _openvino_in_float,
    "ONNX Runtime": _onnxruntime,
}


def main(path: str) -> None:
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    version, run = RUNTIMES[job["runtime"]](job)
    with np.load(job["pixels"]) as held:
        pixels = held["pixels"]
    rows = [np.asarray(run(pixels[index : index + 1]), np.float32).reshape(-1) for index in range(len(pixels))]
    np.save(job["output"], np.stack(rows))
    print(json.dumps({"version": version}))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:  # runtimes raise what they like; the caller wants one line
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        # OpenVINO begins with places in its source and ends with the reason.
        print(json.dumps({"error": lines[-1] if lines[0].startswith("Exception from") else lines[0]}))
        sys.exit(1)
