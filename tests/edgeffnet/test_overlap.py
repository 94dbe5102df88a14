"""Pictures of one set that are in another: copies are found, other photographs are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from edgeffnet import calibration_images, images, imagesets, labels, overlap


@pytest.mark.parametrize(("scale", "quality"), [(1.0, 40), (0.75, 75), (0.5, 60), (0.33, 75)])
def test_smaller_and_recompressed_copies_are_found_and_nothing_else(
    data: Path, tmp_path: Path, scale: float, quality: int
) -> None:
    known = imagesets.read(data / "imagenet" / "eval.csv", labels.imagenet()).images
    originals, others = known[::26], known[13::26]
    for number, original in enumerate(originals):
        picture = images.read(original.path)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture.resize(size, Image.Resampling.BICUBIC).save(tmp_path / f"{number:03}.jpg", quality=quality)
    copied = [images.LabelledImage(path) for path in sorted(tmp_path.iterdir())]
    validation = imagesets.ImageSet((*copied, *others), "both")
    calibration = calibration_images.CalibrationImages(originals, "originals", (), 0)
    found = overlap.pictures_in_both(calibration, validation)
    assert set(found) == set(zip([one.path for one in originals], [one.path for one in copied], strict=True))
