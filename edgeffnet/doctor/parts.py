"""The parts of an installation: packages and programs, what each enables, and what adds it."""

from __future__ import annotations

from dataclasses import dataclass

from edgeffnet.weights.packages import PACKAGES

BASE = "pip install edgeffnet"
BUILD = "pip install 'edgeffnet[build]'"
MCU = "pip install 'edgeffnet[mcu]'"


@dataclass(frozen=True)
class Package:
    """A Python package: `module` is what it is imported as, empty where nothing of it is imported.

    `needed` packages are those without which the main job cannot run.
    """

    name: str
    module: str
    enables: str
    install: str
    needed: bool = True


@dataclass(frozen=True)
class Program:
    """A program on the search path that some targets or parts use, and Debian's package of it."""

    name: str
    enables: str
    install: str


PACKAGES_USED = (
    Package("numpy", "numpy", "everything", BASE),
    Package("Pillow", "PIL.Image", "reading images", BASE),
    Package("ai-edge-litert", "ai_edge_litert.interpreter", "running .tflite models", BASE),
    Package("tensorflow", "tensorflow", "build, quantize: the float model", BUILD),
    Package("litert-quantizer", "litert_quantizer", "build, quantize: int8 TFLite", BUILD),
    Package("openvino", "openvino", "OpenVINO models: build, validate, verify", BUILD),
    Package("nncf", "nncf", "build, quantize: int8 OpenVINO", BUILD),
    Package("onnx", "onnx", "ONNX models: build", BUILD),
    Package("tf2onnx", "tf2onnx", "ONNX models: build", BUILD),
    Package("onnxruntime", "onnxruntime", "ONNX models: build, validate, verify", BUILD),
    Package("scikit-image", "skimage", "photographs to calibrate on without --calib", BUILD),
    Package("scipy", "scipy", "solving for weights that undo upstream error", BUILD),
    Package("threadpoolctl", "threadpoolctl", "roundings that no number of cores changes", BUILD),
    Package("scikit-learn", "sklearn", "photographs to calibrate on without --calib", BUILD),
    *(Package(name, "", f"trained weights of {variant}", BUILD) for variant, name in PACKAGES.items()),
    Package("h5py", "h5py", "weights in .keras and .h5 files", BUILD, needed=False),
    Package("safetensors", "safetensors", "train: weights and checkpoints", BUILD, needed=False),
    Package("Jinja2", "jinja2", "report.html, and build --bundle", BUILD, needed=False),
    Package("matplotlib", "matplotlib", "report.html, and --plot", BUILD, needed=False),
    Package("jsonschema", "jsonschema", "holding reports against their schema", BUILD, needed=False),
    Package("tflite-micro", "tflite_micro", "build --bundle mcu, and a microcontroller's arena", MCU, needed=False),
)

PROGRAMS_USED = (
    Program("ssh", "--target ssh://…", "apt install openssh-client"),
    Program("adb", "--target adb://…", "apt install adb"),
    Program("qemu-aarch64", "--target qemu://…", "apt install qemu-user"),
    Program("mmdebstrap", "edgeffnet target prepare qemu", "apt install mmdebstrap"),
    Program("gcc", "edgeffnet target prepare qemu", "apt install gcc libc6-dev"),
)
