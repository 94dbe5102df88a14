"""Preprocessing against pixels worked out by hand, and images of every awkward kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeffnet import photographs
from edgeffnet.errors import DataError
from edgeffnet.images import LabelledImage, Preprocessing, load, read, read_preprocessing


def plain(size: int = 32, crop: float = 1.0) -> Preprocessing:
    return Preprocessing(size, crop, "nearest", (127.0,) * 3, (128.0,) * 3)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def test_centre_crop_takes_the_middle_square_of_the_short_side() -> None:
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 200
    assert (plain(32).pixels(Image.fromarray(picture)) == 200).all()


def test_crop_fraction_leaves_a_border_out() -> None:
    picture = np.full((64, 64, 3), 9, np.uint8)
    picture[16:48, 16:48] = 100
    assert (plain(32, crop=0.5).pixels(Image.fromarray(picture)) == 100).all()
    assert (plain(32, crop=1.0).pixels(Image.fromarray(picture)) == 9).any()


def test_tall_images_are_resized_in_the_same_order_as_square_ones() -> None:
    tall = np.full((400, 100, 3), 99, np.uint8)
    tall[160:240] = np.random.default_rng(0).integers(0, 256, (80, 100, 3))
    preprocessing = Preprocessing(64, 1.0, "bicubic", (0.0,) * 3, (1.0,) * 3)
    square = preprocessing.pixels(Image.fromarray(tall[150:250]))
    np.testing.assert_array_equal(preprocessing.pixels(Image.fromarray(tall)), square)


def test_normalise_is_the_lite_formula() -> None:
    values = Preprocessing.lite(224).normalise(np.array([[0, 127, 255]], np.uint8))
    np.testing.assert_array_equal(values, np.array([[-127 / 128, 0, 1]], np.float32))


def test_bgr_reverses_channels() -> None:
    red = Image.new("RGB", (32, 32), (255, 0, 0))
    swapped = Preprocessing(32, 1.0, "nearest", (0.0,) * 3, (1.0,) * 3, "BGR")
    assert (swapped.pixels(red)[..., 2] == 255).all()


def test_preprocessing_survives_json(tmp_path: Path) -> None:
    import json

    path = tmp_path / "preprocessing.json"
    path.write_text(json.dumps(Preprocessing.lite(240).to_dict()))
    assert read_preprocessing(path) == Preprocessing.lite(240)


@pytest.mark.parametrize(
    ("field", "value"),
    [("resolution", 0), ("crop", 1.5), ("std", [0, 1, 1]), ("interpolation", "fuzzy"), ("mean", [1])],
)
def test_preprocessing_with_an_impossible_field_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(DataError, match=field if field != "mean" else "malformed"):
        Preprocessing.from_dict({**Preprocessing.lite(224).to_dict(), field: value}, "here.json")


def test_grey_cmyk_palette_and_16_bit_images_become_the_same_rgb(tmp_path: Path) -> None:
    level = 128
    grey = np.full((16, 16), level, np.uint8)
    files = [
        save(tmp_path / "grey.png", grey),
        save(tmp_path / "rgb.png", np.stack([grey] * 3, axis=-1)),
        save(tmp_path / "wide.png", np.full((16, 16), level * 257, np.uint16)),
    ]
    Image.fromarray(np.stack([grey] * 3, axis=-1)).quantize(16).save(tmp_path / "palette.png")
    cmyk = tmp_path / "cmyk.jpg"
    Image.fromarray(np.stack([grey] * 3, axis=-1)).convert("CMYK").save(cmyk, quality=100)
    for path in [*files, tmp_path / "palette.png", cmyk]:
        image = read(path)
        assert image.mode == "RGB", path
        assert np.abs(np.asarray(image, int) - level).max() <= 3, path


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (np.asarray(read(tmp_path / "clear.png")) == 255).all()


def test_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in ((250, 0, 0), (0, 250, 0))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    red, green, _ = np.asarray(read(tmp_path / "moving.gif"))[0, 0]
    assert red > 200 > green


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 20))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert read(tmp_path / "turned.jpg").size == (20, 40)


def _broken_images(folder: Path) -> dict[str, Path]:
    photo = photographs.path_of(photographs.HELD_OUT[1])
    files = {name: folder / f"{name}.jpg" for name in ("empty", "text", "truncated", "corrupt", "tiny", "missing")}
    files["empty"].write_bytes(b"")
    files["text"].write_text("<html>404</html>")
    files["truncated"].write_bytes(photo.read_bytes()[:4000])
    files["corrupt"].write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8)
    Image.new("RGB", (1, 1)).save(files["tiny"])
    return files


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "corrupt", "tiny", "missing"])
def test_an_unusable_image_is_refused_in_one_line_naming_the_file(tmp_path: Path, kind: str) -> None:
    path = _broken_images(tmp_path)[kind]
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_load_keeps_order_across_chunks(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{level:03d}.png", np.full((16, 16, 3), level, np.uint8)) for level in range(20)]
    chunks = list(load([LabelledImage(path) for path in paths], plain(8), chunk=7))
    assert [len(chunk) for chunk in chunks] == [7, 7, 6]
    assert np.concatenate(chunks)[:, 0, 0, 0].tolist() == list(range(20))
