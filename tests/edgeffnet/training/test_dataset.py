"""Folders and CSVs of pictures to train on, and what is wrong with some of them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image

from edgeffnet.errors import DataError
from edgeffnet.images import LabelledImage
from edgeffnet.training import dataset, split
from edgeffnet.training.vetting import vet
from tests.edgeffnet.training.conftest import Painted


def names(images: tuple[dataset.LabelledImage, ...]) -> list[str]:
    return [image.path.name for image in images]


def test_class_folders_are_split_by_a_seeded_draw_of_each_class(painted: Painted) -> None:
    folder = painted({"red": 10, "blue": 20})
    found = dataset.read(folder, seed=3)
    assert found.classes == ("blue", "red")
    assert (len(found.training), len(found.validation)) == (24, 6)
    assert sorted(image.label or 0 for image in found.validation) == [0, 0, 0, 0, 1, 1]
    assert not set(names(found.training)) & set(names(found.validation))
    assert dataset.read(folder, seed=3) == found
    assert names(dataset.read(folder, seed=4).validation) != names(found.validation)


def test_a_draw_does_not_depend_on_where_the_folder_lies(painted: Painted, tmp_path: Path) -> None:
    folder = painted({"red": 10, "blue": 10})
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert names(dataset.read(folder, seed=0).validation) == names(dataset.read(moved, seed=0).validation)


@pytest.mark.parametrize("val", ["val", "validation", "test"])
def test_train_and_val_folders_are_taken_as_they_are(painted: Painted, val: str) -> None:
    folder = painted({"red": 6, "blue": 6}, under="train")
    painted({"red": 2, "blue": 3}, under=val, first=50)
    found = dataset.read(folder, seed=0)
    assert (len(found.training), len(found.validation), found.drawn) == (12, 5, False)


def test_a_split_that_was_written_down_reads_as_the_same_data(painted: Painted, tmp_path: Path) -> None:
    drawn = dataset.read(painted({"red": 10, "blue": 10}), seed=1)
    listing = tmp_path / "split.csv"
    listing.write_text(split.as_csv(drawn, tmp_path))
    again = dataset.read(listing, seed=99)
    assert again.classes == drawn.classes
    assert names(again.validation) == names(drawn.validation)
    assert names(again.training) == names(drawn.training)


def test_numbers_as_labels_are_names_and_sorted_as_numbers(painted: Painted, tmp_path: Path) -> None:
    folder = painted({"red": 12})
    listing = tmp_path / "list.csv"
    with listing.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "label"))
        for index, path in enumerate(sorted(folder.rglob("*.png"))):
            rows.writerow((path, (10, 2, 7)[index % 3]))
    assert dataset.read(listing, seed=0).classes == ("2", "7", "10")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"red": 12}, "only the class 'red'"),
        ({"red": 12, "blue": 0}, "'blue' is empty"),
        ({"red": 2, "blue": 1}, "3 images in all"),
        ({"red": 12, "blue": 1}, "'blue' has one image"),
        ({}, "no class folder"),
    ],
)
def test_too_little_is_named(painted: Painted, counts: dict[str, int], said: str) -> None:
    folder = painted(counts or {"red": 0})
    if not counts:
        (folder / "red").rmdir()
    with pytest.raises(DataError, match=said):
        dataset.read(folder, seed=0)


def test_a_class_in_one_part_alone_is_named(painted: Painted) -> None:
    folder = painted({"red": 6, "blue": 6, "green": 6}, under="train")
    painted({"red": 2, "blue": 2}, under="val", first=50)
    with pytest.raises(DataError, match="'green' has no image in val"):
        dataset.read(folder, seed=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,label\na.png,red\n", "no column named 'file'"),
        ("file\na.png\n", "no column named 'label'"),
        ("file,label,split\n{0},red,train\n{0},blue,\n", "train or val in every line"),
        ("file,label,split\n{0},red,maybe\n", "neither train nor val"),
        ("file,label\n{0},\n", "line 2: no label"),
        ("file,label\nnowhere.png,red\n", "nowhere.png"),
    ],
)
def test_a_csv_that_does_not_tell_is_refused(painted: Painted, tmp_path: Path, text: str, said: str) -> None:
    image = next(painted({"red": 1}).rglob("*.png"))
    listing = tmp_path / "list.csv"
    listing.write_text(text.format(image))
    with pytest.raises(DataError, match=said):
        dataset.read(listing, seed=0)


def test_a_picture_in_both_parts_is_found_by_content_and_refused_unless_allowed(painted: Painted) -> None:
    folder = painted({"red": 6, "blue": 6}, under="train")
    painted({"red": 3, "blue": 3}, under="val", first=50)
    shutil.copy(folder / "train/red/red2.png", folder / "val/red/other_name.png")
    found = dataset.read(folder, seed=0)
    with pytest.raises(DataError, match=r"red2\.png \(train\) and .*other_name\.png \(val\)"):
        vet(found)
    allowed = vet(found, allow_overlap=True)
    assert allowed.shared == 1
    assert any("flattered" in note for note in allowed.notes)


def test_a_picture_saved_again_among_the_validation_images_is_not_trained_on(painted: Painted) -> None:
    folder = painted({"red": 6, "blue": 6}, under="train")
    painted({"red": 3, "blue": 3}, under="val", first=50)
    with Image.open(folder / "train/red/red2.png") as image:
        image.convert("RGB").save(folder / "val/red/again.jpg", quality=85)
    vetted = vet(dataset.read(folder, seed=0))
    assert vetted.shared == 0
    assert "red2.png" not in names(vetted.dataset.training)
    assert "again.jpg" in names(vetted.dataset.validation)
    assert "1 training images were left out" in vetted.notes[0]


def test_copies_in_data_without_a_split_are_all_trained_on(painted: Painted) -> None:
    folder = painted({"red": 10, "blue": 10})
    first = dataset.read(folder, seed=0)
    shutil.copy(first.validation[0].path, folder / "blue" / "copy.png")
    found = dataset.read(folder, seed=0)
    vetted = vet(found)
    assert vetted.shared == 0
    assert len(vetted.dataset.training) + len(vetted.dataset.validation) == 21
    assert {"copy.png", first.validation[0].path.name} <= set(names(vetted.dataset.training))


def test_unreadable_images_are_listed_and_fail_when_strict(painted: Painted) -> None:
    folder = painted({"red": 10, "blue": 10})
    (folder / "red" / "torn.jpg").write_bytes(b"\xff\xd8" + bytes(200))
    (folder / "blue" / "empty.png").write_bytes(b"")
    found = dataset.read(folder, seed=0)
    vetted = vet(found)
    assert sorted(one.path.name for one in vetted.unreadable) == ["empty.png", "torn.jpg"]
    assert len(vetted.dataset.training) + len(vetted.dataset.validation) == 20
    assert "empty.png: empty file" in vetted.notes[0]
    with pytest.raises(DataError, match=r"2 images cannot be read .*torn\.jpg"):
        vet(found, strict=True)


def test_a_sample_has_of_each_class_its_share() -> None:
    images = [
        LabelledImage(Path(f"{label}/{number}.png"), label) for label in (0, 1) for number in range(90 - 60 * label)
    ]
    drawn = split.sample(images, 40, seed=0)
    assert [image.label for image in drawn].count(1) == 10
    assert drawn == split.sample(images, 40, seed=0)
    assert drawn != split.sample(images, 40, seed=1)
    assert split.sample(images, 500, seed=0) == tuple(images)
