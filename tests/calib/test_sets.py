"""Choices of calibration images, copies found by content, convergence."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calib import convergence, graph, overlap, sets, statistics
from calib.errors import CalibrationError
from tests.calib.graphs import pictures, swish_network

LABELS = {f"{index:064x}": index % 4 if index < 80 else 0 for index in range(200)}


def test_balanced_choice_is_even_and_seeded() -> None:
    one = sets.balanced(LABELS, 40, seed=0)
    assert set(Counter(LABELS[hashed] for hashed in one.sha256).values()) == {10}
    assert one == sets.balanced(dict(reversed(LABELS.items())), 40, seed=0)
    assert one.sha256 != sets.balanced(LABELS, 40, seed=1).sha256


def test_small_classes_give_what_they_have() -> None:
    counted = Counter(LABELS[hashed] for hashed in sets.balanced(LABELS, 150, seed=0).sha256)
    assert counted == {0: 90, 1: 20, 2: 20, 3: 20}


def test_covering_takes_the_images_that_reach_furthest() -> None:
    reached = {f"{index}": np.ones(3, np.float32) for index in range(20)}
    reached["7"] = np.array([9, 1, 1], np.float32)
    reached["11"] = np.array([1, 9, 9], np.float32)
    assert sets.covering(reached, 2, seed=3).sha256 == ("11", "7")


def test_too_few_images_are_an_error() -> None:
    with pytest.raises(CalibrationError, match="cannot choose 5 calibration images from 0"):
        sets.balanced({}, 5, seed=0)


def test_a_choice_survives_its_file(tmp_path: Path) -> None:
    made = sets.balanced(LABELS, 8, seed=2)
    made.write(tmp_path / "choice.json")
    assert sets.Choice.read(tmp_path / "choice.json") == made
    (tmp_path / "bad.json").write_text("[]", encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"bad\.json"):
        sets.Choice.read(tmp_path / "bad.json")


def _photograph(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
    return coarse.resize((240, 240), Image.Resampling.BICUBIC)


def test_re_encoded_and_resized_copies_are_found_and_others_are_not() -> None:
    originals = [_photograph(seed) for seed in range(12)]
    encoded = io.BytesIO()
    originals[3].resize((97, 97), Image.Resampling.LANCZOS).save(encoded, "JPEG", quality=40)
    held = [*[_photograph(seed) for seed in range(20, 30)], Image.open(encoded)]
    first, second = ([overlap.fingerprint(np.asarray(one)) for one in side] for side in (originals, held))
    assert overlap.copies(first, second) == [(3, 10)]


def test_more_images_settle_the_ranges() -> None:
    data, model = swish_network(), graph.read(swish_network())

    def movement(count: int) -> convergence.Convergence:
        halves = [statistics.collect(data, [pictures(count, seed)], 1) for seed in (1, 2)]
        return convergence.compare(model, *halves)

    few, many = movement(2), movement(128)
    assert many.typical < few.typical
    assert not few.settled
    same = statistics.collect(data, [pictures(4)], 1)
    assert convergence.compare(model, same, same).movement == 0
