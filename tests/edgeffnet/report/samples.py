"""Reports with every part filled, and with names that nobody means well by."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

from PIL import Image

from edgeffnet.report.document import document

HOSTILE = "<script>alert('1')</script> \"&quot; 'x' $\\alpha$ 猫 \x1b[31m\x00\ud800 {{ 7 * 7 }}"


def interval(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def thumbnail(number: int) -> str:
    """A gradient of its own colours as a JPEG in a data URI."""
    picture = Image.linear_gradient("L").resize((96, 96))
    coloured = Image.merge("RGB", (picture, picture.rotate(90), Image.new("L", (96, 96), 20 * number % 256)))
    data = io.BytesIO()
    coloured.save(data, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()


def model(file: str, precision: str) -> dict[str, Any]:
    grid = {"dtype": "uint8", "scale": 0.0078125, "zero_point": 127} if precision == "int8" else None
    return {
        "file": file,
        "sha256": "0123456789abcdef" * 4,
        "format": "tflite",
        "precision": precision,
        "input": "uint8" if precision == "int8" else "float32",
        "output": "probabilities",
        "bytes": 5_000_000,
        "resolution": 224,
        "classes": 1000,
        "quantization": {"input": grid, "output": grid},
    }


def classes(count: int) -> list[dict[str, Any]]:
    made = []
    for index in range(count):
        drop = 40.0 if index == 3 else 6 * math.sin(index)
        p = 1e-6 if index == 3 else 0.4
        made.append(
            {
                "index": index,
                "label": HOSTILE if index == 3 else f"class {index}",
                "images": 50,
                "reference": 0.8,
                "int8": 0.8 - drop / 100,
                "drop": drop,
                "p": p,
                "p_adjusted": min(1.0, p * count),
            }
        )
    return made


def layers(count: int) -> list[dict[str, Any]]:
    return [
        {
            "name": HOSTILE if place == 30 else f"block{place // 4}{'abcd'[place % 4]}/depthwise",
            "int8_tensor": f"block{place // 4}/depthwise;BiasAdd",
            "snr_db": 8.0 if place == 30 else 40 - 0.3 * place + 3 * math.cos(place),
            "largest": 0.02 * place,
        }
        for place in range(count)
    ]


def audit() -> dict[str, Any]:
    """A failed audit of a thousand classes, with findings of each severity."""
    body = {
        "verdict": {
            "passed": False,
            "said": "the drop of top-1 is 2.10 points (1.30 to 2.90, 95%): misses at most 0.50 points",
            "gates": [
                {
                    "name": "max-drop",
                    "limit": 0.5,
                    "value": 2.1,
                    "low": 1.3,
                    "high": 2.9,
                    "passed": False,
                    "images_needed": None,
                    "said": "the drop of top-1 is 2.10 points: misses at most 0.50 points",
                },
                {
                    "name": "min-agreement",
                    "limit": 93.0,
                    "value": 93.4,
                    "low": 91.9,
                    "high": 94.6,
                    "passed": None,
                    "images_needed": 21000,
                    "said": "cannot tell with 1,300 images: about 21,000 are needed",
                },
            ],
        },
        "models": {
            "int8": model("model_int8.tflite", "int8"),
            "reference": model("model_fp32.tflite", "fp32"),
        },
        "preprocessing": {
            "resolution": 224,
            "crop": 0.875,
            "interpolation": "bicubic",
            "mean": [127.0, 127.0, 127.0],
            "std": [128.0, 128.0, 128.0],
        },
        "images": {
            "source": f"val.csv {HOSTILE}",
            "count": 1300,
            "sha256": "fedcba9876543210" * 4,
            "labelled": True,
            "duplicates": [["a.jpg", f"{HOSTILE}.jpg"]],
            "unreadable": [{"file": "torn.jpg", "reason": "image file is truncated"}],
        },
        "accuracy": {
            "reference": {"top1": interval(0.83, 0.02), "top5": interval(0.96, 0.01)},
            "int8": {"top1": interval(0.809, 0.021), "top5": interval(0.95, 0.012)},
            "drop": interval(2.1, 0.8),
            "relative": interval(0.975, 0.01),
            "agreement": interval(0.934, 0.013),
            "flips": {"worse": 45, "better": 18, "mcnemar_p": 0.0009},
            "ties": 7,
            "calibration_error": {"reference": 0.031, "int8": 0.045},
        },
        "output_error": {"snr_db": 17.3, "largest": 0.61, "kl": 0.041},
        "per_class": classes(200),
        "layers": layers(84),
        "layers_unmatched": None,
        "worst_images": [
            {
                "file": f"folder/ILSVRC2012_val_{number:08}.JPEG" if number else f"{HOSTILE}.jpg",
                "label": "Egyptian cat" if number else HOSTILE,
                "reference": {"label": "Egyptian cat", "probability": 0.92 - 0.03 * number},
                "int8": {"label": "tabby, tabby cat", "probability": 0.81},
                "thumbnail": thumbnail(number),
            }
            for number in range(10)
        ],
        "calibration": {
            "images": 512,
            "source": "calib.csv (512 images)",
            "overlap": [{"calibration": "n01440764_tench.JPEG", "validation": f"{HOSTILE}.jpg"}],
            "class_coverage": {"classes": 1000, "covered": 512, "least": 0, "most": 1, "missing": [2, 5]},
            "convergence": {"tensor": "predictions", "movement": 0.18, "typical": 0.013, "settled": False},
            "clipping": [{"tensor": f"block{number}/depthwise", "share": 0.0004 * number} for number in range(20)],
            "halves": {
                "agreement_between": interval(0.982, 0.01),
                "first": {"images": 256, "agreement": interval(0.95, 0.02), "top1": interval(0.81, 0.02)},
                "second": {"images": 256, "agreement": interval(0.94, 0.02), "top1": interval(0.8, 0.02)},
                "images": 1300,
                "recipe": "fast",
                "said": "two int8 models, calibrated on 256 and 256 other images, agree with each other on 98.20%",
            },
        },
        "runtimes": [
            {
                "runtime": "LiteRT 2.3.0",
                "model": "model_int8.tflite",
                "agreement": 1.0,
                "largest_difference": 0.0,
                "not_run": None,
                "said": "bit-equal on all images",
            },
            {
                "runtime": "TensorFlow Lite",
                "model": "model_int8.tflite",
                "agreement": None,
                "largest_difference": None,
                "not_run": "tensorflow is not installed",
                "said": "TensorFlow on this machine",
            },
        ],
        "findings": [
            {"name": "duplicates", "severity": "note", "said": "2 files show one picture", "evidence": {}},
            {
                "name": "channels-swapped",
                "severity": "fault",
                "said": f"BGR scores 6.2 points better than RGB: the channels are swapped {HOSTILE}",
                "evidence": {"top1": 0.871, "p": 1e-9, "files": [HOSTILE] * 3},
            },
            {
                "name": "overlap",
                "severity": "warning",
                "said": "1 picture both calibrates and validates",
                "evidence": {"pictures": 1},
            },
        ],
        "target": "local",
        "machine": {"cpu": "AMD EPYC", "cores": 2, "system": "Linux", "memory_bytes": 25_000_000_000, "warnings": []},
        "notes": [f"the label of class 3 is odd: {HOSTILE}"],
        "seconds": {"Reading the models": 1.2, "Running both over the images": 81.5},
    }
    return document("audit", body)
