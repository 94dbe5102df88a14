"""Google's image-classification evaluator (`run_eval`): how it is called, what it says, what it cannot judge.

As with `benchmark_model`, its output is known from captures and its source; it was never run on a phone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from converters.artifact import Artifact
from edgeffnet.errors import TargetError
from edgeffnet.images import Preprocessing

# It always counts the ten best, and refuses fewer classes.
_RANKS = 10
_PREFIX = re.compile(r"^(?:INFO: |\d\d-\d\d [\d:.]+ [VIW]/\S+\s*\( *\d+\): )?")
_IMAGES = re.compile(r"Num evaluation runs: (\d+)(?: # .*)?")
_ACCURACY = re.compile(r"Top-(\d+) Accuracy: (\d(?:\.\d+)?(?:e-\d+)?)")


@dataclass(frozen=True)
class Evaluation:
    """Images judged, and how many have their label first, and among the first five."""

    images: int
    right1: int
    right5: int


def cannot_judge(artifact: Artifact, preprocessing: Preprocessing, classes: int) -> str | None:
    """Why the evaluator would misjudge an artefact; None where it does not."""
    if artifact.format != "tflite":
        return "the evaluator runs only .tflite models"
    if classes < _RANKS:
        return f"the evaluator needs {_RANKS} classes, there are {classes}"
    if artifact.input == "uint8":
        return "the evaluator takes a model's output for the type of its input, uint8; build with --io int8"
    if artifact.input == "int8" and artifact.output != "logits":
        return "the evaluator takes a model's output for the type of its input, int8"
    if artifact.input == "float32" and (set(preprocessing.mean), set(preprocessing.std)) != ({127.5}, {127.5}):
        return "the evaluator normalises floats by (pixel - 127.5) / 127.5, which is not this model's"
    return None


def flags(model: str, images: str, labels: str, names: str, threads: int) -> tuple[str, ...]:
    """The evaluator's arguments; all are paths on the phone but `threads`."""
    return (
        f"--model_file={model}",
        f"--ground_truth_images_path={images}",
        f"--ground_truth_labels={labels}",
        f"--model_output_labels={names}",
        "--num_images=0",
        f"--num_interpreter_threads={threads}",
        "--delegate=xnnpack",
    )


def parse(output: str, images: int) -> Evaluation:
    """Reads the evaluator's output over that many images. Raises TargetError for anything unexpected."""
    lines = [_PREFIX.sub("", line.strip(), count=1).strip() for line in output.splitlines() if line.strip()]
    counted = [int(found[1]) for line in lines if (found := _IMAGES.fullmatch(line))]
    if counted != [images]:
        last = lines[-1][:100] if lines else "nothing"
        raise TargetError(f"the evaluator judged {counted or 'none'} of {images} images; it said last: {last}")
    shares = {int(found[1]): float(found[2]) for line in lines if (found := _ACCURACY.fullmatch(line))}
    if sorted(shares) != list(range(1, _RANKS + 1)):
        raise TargetError(f"the evaluator's output is not understood: accuracies of ranks {sorted(shares)}")
    right = {rank: round(share * images) for rank, share in shares.items()}
    # Six digits are printed: further from a whole number of images, it is of other images.
    wrong = [rank for rank, share in shares.items() if abs(right[rank] / images - share) > 1e-5]
    if wrong or any(right[rank] > right[rank + 1] for rank in range(1, _RANKS)) or right[_RANKS] > images:
        raise TargetError(f"the evaluator's output is not understood: shares {shares} of {images} images")
    return Evaluation(images, right[1], right[5])
