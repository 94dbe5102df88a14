"""What is recorded of the images a build calibrates on."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from edgeffnet import calibration_images, imagesets


def test_images_of_one_name_in_two_class_folders_are_both_recorded(tmp_path: Path) -> None:
    for level, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        Image.new("L", (16, 16), 100 * level).save(tmp_path / name / "1.png")
    chosen = calibration_images.from_set(imagesets.read(tmp_path, ("cat", "dog")), seed=0)
    files = chosen.to_dict()["files"]
    assert set(files) == {"cat/1.png", "dog/1.png"}
    assert len(set(files.values())) == 2
