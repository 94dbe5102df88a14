"""Images and what is done to them before a network sees them: the only place images are read."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edgeffnet.errors import DataError, UsageError
from edgeffnet.hashing import sha256_of
from edgeffnet.json_file import read_json

Pixels = NDArray[np.uint8]
Interpolation = Literal["bicubic", "bilinear", "nearest", "lanczos"]

# An image smaller than this on a side holds nothing to classify.
MINIMUM_SIDE = 8
# Of a network's input: one image takes 50 MB as bytes.
LARGEST_SIDE = 4096
# Others have no business behind a photograph's name: Pillow would run Ghostscript for a PostScript file.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_WARNINGS = Lock()
_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocessing:
    """Image file -> network input, the one definition for calibration, validation and metadata.

    Decode to 8-bit RGB, upright; take the centred square of `crop` times the short side; resize it
    to `resolution` with `interpolation` (antialiased; first each row, then each column, 8 bits in between); then
    (x - mean) / std per channel, x in 0..255.
    """

    resolution: int
    crop: float
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: Literal["RGB", "BGR"] = "RGB"

    @classmethod
    def lite(cls, resolution: int) -> Preprocessing:
        """That of the official EfficientNet-Lite: crop of res/(res+32), (x-127)/128."""
        return cls(resolution, resolution / (resolution + 32), "bicubic", (127.0,) * 3, (128.0,) * 3)

    def pixels(self, image: Image.Image) -> Pixels:
        """uint8 (resolution, resolution, 3): `image` cropped and resized, not yet normalised."""
        side = min(image.size) * self.crop
        left, top = (image.width - side) / 2, (image.height - side) / 2
        array = np.asarray(self.square(image, (left, top, left + side, top + side)), np.uint8)
        return np.ascontiguousarray(array[..., ::-1]) if self.channels == "BGR" else array

    def square(self, image: Image.Image, part: tuple[float, float, float, float]) -> Image.Image:
        """`part` of `image` (left, top, right, bottom), resized to the square of `resolution`."""
        left, top, right, bottom = part
        # Rows, then columns: their order shows in the pixels, and Pillow 13 by itself turns it around for tall images.
        method, size = _RESAMPLING[self.interpolation], self.resolution
        rows = image.resize((size, image.height), method, box=(left, 0, right, image.height))
        return rows.resize((size, size), method, box=(0, top, size, bottom))

    def normalise(self, pixels: Pixels) -> NDArray[np.float32]:
        """float32 of the same shape (..., 3): the network's input."""
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return (pixels.astype(np.float32) - mean) / std

    @property
    def uneven(self) -> bool:
        """True where channels differ in mean or std: no one 8-bit input scale is that normalisation."""
        return len(set(self.mean)) > 1 or len(set(self.std)) > 1

    @property
    def unnormalised(self) -> Preprocessing:
        """All of it but the normalisation."""
        return replace(self, mean=(0.0,) * 3, std=(1.0,) * 3)

    @property
    def ends(self) -> NDArray[np.float32]:
        """What pixels 0 and 255 become in each channel, (2, 3)."""
        return self.normalise(np.array([[0] * 3, [255] * 3], np.uint8))

    @property
    def pixel_range(self) -> tuple[float, float]:
        """What pixels 0 and 255 become in the first channel."""
        black, white = self.ends[:, 0]
        return float(black), float(white)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str) -> Preprocessing:
        """The inverse of `to_dict`; DataError names a missing or impossible field of `source`."""
        try:
            made = cls(
                resolution=int(values["resolution"]),
                crop=float(values["crop"]),
                interpolation=values["interpolation"],
                mean=_triple(values["mean"]),
                std=_triple(values["std"]),
                channels=values.get("channels", "RGB"),
            )
        except KeyError as error:
            raise DataError(f"{source}: preprocessing lacks {error.args[0]}") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{source}: preprocessing is malformed ({error})") from None
        checks = {
            "resolution": 0 < made.resolution <= LARGEST_SIDE,
            "crop": 0 < made.crop <= 1,
            "interpolation": made.interpolation in list(_RESAMPLING),
            "mean": all(map(math.isfinite, made.mean)),
            "std": all(math.isfinite(value) and value > 0 for value in made.std),
            "channels": made.channels in ("RGB", "BGR"),
        }
        for field, good in checks.items():
            if not good:
                raise DataError(f"{source}: preprocessing has an impossible {field}: {values[field]!r}")
        return made


@dataclass(frozen=True)
class LabelledImage:
    """An image file and its class index, or None where nobody labelled it."""

    path: Path
    label: int | None = None


def read(path: Path) -> Image.Image:
    """The image as upright 8-bit RGB.

    Grey, palette, CMYK and 16-bit images are converted, of an animation the first frame is taken,
    transparency is laid on white. DataError for a file that is missing, damaged, truncated, no image,
    or under 8 pixels on a side.
    """
    try:
        with _opened(path) as opened:
            opened.seek(0)
            image = _rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError:
        raise DataError(f"{path}: no such image") from None
    except UnidentifiedImageError:
        reason = "empty file" if path.is_file() and path.stat().st_size == 0 else "not an image, or damaged"
        raise DataError(f"{path}: {reason}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{path}: image has too many pixels (over {Image.MAX_IMAGE_PIXELS:,})") from None
    except Exception as error:  # decoders raise whatever the bytes lead them to
        raise DataError(f"{path}: damaged or truncated image ({error})") from None
    if min(image.size) < MINIMUM_SIDE:
        raise DataError(f"{path}: {image.width}x{image.height} pixels is too small (at least {MINIMUM_SIDE})")
    return image


def thumbnail(path: Path, side: int = 64) -> Pixels:
    """uint8 (h, w, 3), upright, at least `side` pixels each way where the image has them.

    JPEG files are decoded at the smallest scale that suffices. Raises DataError as `read` does.
    """
    try:
        with _opened(path) as opened:
            opened.draft("RGB", (side, side))
            if opened.format == "JPEG":
                return np.asarray(_rgb(ImageOps.exif_transpose(opened)))
    except Exception:
        pass  # `read` says what is wrong with it
    return np.asarray(read(path))


def _opened(path: Path) -> Image.Image:
    """The image with its header read; a warning of too many pixels is raised."""
    # Threads share the filters of warnings.
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(path, formats=_FORMATS)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        wide = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(wide, 0, 65535) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no defined range")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def load(images: Sequence[LabelledImage], preprocessing: Preprocessing, chunk: int = 64) -> Iterator[Pixels]:
    """Chunks uint8 (<= chunk, resolution, resolution, 3) of `images` in order, decoded on all cores."""

    def one(image: LabelledImage) -> Pixels:
        return preprocessing.pixels(read(image.path))

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(images), chunk):
            yield np.stack(list(pool.map(one, images[start : start + chunk])))


def digest(images: Sequence[LabelledImage]) -> str:
    """SHA-256 over the files' contents and labels, independent of their order and names."""
    hashes = sorted(f"{sha256_of(image.path)} {image.label}" for image in images)
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _triple(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def unstated_preprocessing(model: str) -> UsageError:
    """The error that nobody says what `model` expects of its images, with the way out."""
    return UsageError(
        f"nobody says what {model} expects of its images: give --preprocessing FILE, "
        'such as {"resolution": 224, "crop": 0.875, "interpolation": "bicubic", "mean": [127, 127, 127], '
        '"std": [128, 128, 128]}'
    )


def read_preprocessing(path: Path) -> Preprocessing:
    """The `preprocessing.json` a bundle holds; DataError says what is wrong with it."""
    try:
        values = read_json(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; a model's preprocessing.json lies beside it") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}: not a JSON object")
    return Preprocessing.from_dict(values, str(path))
