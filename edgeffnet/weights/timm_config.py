"""The config.json that timm's models carry beside their weights: architecture name and preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeffnet import labels
from edgeffnet.errors import DataError
from edgeffnet.images import Preprocessing
from edgeffnet.json_file import read_json
from edgeffnet.weights.published import from_unit_range

# Arguments of timm's constructors that change what a network computes from the same tensors.
_ARITHMETIC = frozenset({"act_layer", "bn_eps", "norm_layer", "pad_type", "se_layer"})


@dataclass(frozen=True)
class TimmConfig:
    """`preprocessing` is None where timm's cannot be expressed here (an image squashed to a square)."""

    architecture: str
    preprocessing: Preprocessing | None
    labels: tuple[str, ...]


def beside(path: Path) -> TimmConfig | None:
    """The config.json in the folder of `path`, or None where there is none that timm wrote; DataError if damaged."""
    config = path.parent / "config.json"
    if not config.is_file():
        return None
    try:
        values = read_json(config)
    except (OSError, ValueError) as error:
        raise DataError(f"{config}: not readable as JSON ({error})") from None
    if not (isinstance(values, dict) and isinstance(values.get("pretrained_cfg"), dict) and "architecture" in values):
        return None
    changed = sorted(_ARITHMETIC.intersection(values.get("model_args") or ()))
    if changed:
        raise DataError(f"{config}: model_args changes {', '.join(changed)} of timm's network, which is not supported")
    try:
        return TimmConfig(
            architecture=str(values["architecture"]),
            preprocessing=_preprocessing(values["pretrained_cfg"]),
            labels=_labels(values),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{config}: preprocessing is malformed ({type(error).__name__}: {error})") from None


def _preprocessing(stated: dict[str, Any]) -> Preprocessing | None:
    if stated.get("crop_mode", "center") != "center":
        return None
    size = stated["input_size"]
    if size[1] != size[2]:
        return None
    return from_unit_range(
        int(size[1]), float(stated["crop_pct"]), stated["interpolation"], tuple(stated["mean"]), tuple(stated["std"])
    )


def _labels(values: dict[str, Any]) -> tuple[str, ...]:
    named = values.get("label_names")
    if isinstance(named, list):
        return tuple(map(str, named))
    trained_on_imagenet = str(values["pretrained_cfg"].get("tag", "")).endswith("in1k")
    return labels.imagenet() if trained_on_imagenet and values.get("num_classes") == 1000 else ()
