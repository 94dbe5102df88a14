"""Rates, losses, changed images and time: what training does to what it is given."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeffnet import photographs, scaling
from edgeffnet.images import Preprocessing, read
from edgeffnet.tensorflow_import import import_tensorflow
from edgeffnet.training import autoaugment, depth, head, recipe
from edgeffnet.training.augmentation import augmented
from edgeffnet.training.clock import Clock
from edgeffnet.training.metrics import Row, to_csv
from edgeffnet.training.objective import mixed, objective


def photograph() -> Image.Image:
    return read(photographs.path_of(photographs.CALIBRATION[0]))


def test_the_papers_rate_is_scaled_by_batch_warms_up_and_decays_every_2_4_epochs() -> None:
    made = recipe.paper(batch=256)
    assert made.rate == pytest.approx(0.016)
    assert (made.optimizer, made.weight_decay, made.bn_momentum) == ("rmsprop", 1e-5, 0.99)
    assert made.rate_at(0.0, 2.5) == pytest.approx(0.5 * 0.97)
    assert made.rate_at(0.5, 24.0) == pytest.approx(0.97**10)
    assert made.rate_at(0.5, 23.9) == pytest.approx(0.97**9)


def test_transfers_rate_ends_at_zero_and_falls_with_depth() -> None:
    made = recipe.transfer()
    rates = [made.rate_at(share, 10 * share) for share in (0.1, 0.5, 0.9, 1.0)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    assert 0 < made.body_rate < 1 and 0 < made.stage_factor < 1
    assert not recipe.from_scratch(made).head_first


@pytest.mark.parametrize("phi", [0.0, 3.0, 6.0, 9.0])
def test_dropout_rises_with_phi_from_a_fifth_to_a_half(phi: float) -> None:
    net = scaling.architecture_at(phi, memory=1 << 50)
    assert net.dropout == pytest.approx(min(0.5, 0.2 + 0.05 * phi))


def test_rare_classes_weigh_more_and_even_ones_alike() -> None:
    assert objective([100, 100, 90], 0.1).class_weights.tolist() == [1, 1, 1]
    weights = objective([300, 100, 50], 0.0).class_weights
    assert weights[2] / weights[0] == pytest.approx(6, rel=1e-5)
    assert (weights * [300, 100, 50]).sum() / 450 == pytest.approx(1, rel=1e-5)


def test_the_loss_is_cross_entropy_with_smoothed_labels_and_a_teacher_pulls() -> None:
    import_tensorflow()
    aim = objective([5, 5], 0.2)
    targets = aim.targets(np.array([1]))
    assert np.asarray(targets).tolist() == [pytest.approx([0.1, 0.9])]
    logits = np.array([[0.0, 2.0]], np.float32)
    log = np.log(np.exp(logits) / np.exp(logits).sum())
    assert float(aim.loss(logits, targets)) == pytest.approx(float(-(0.1 * log[0, 0] + 0.9 * log[0, 1])), rel=1e-5)
    agreeing, opposed = (float(aim.loss(logits, targets, np.array([[0.0, x]], np.float32))) for x in (2.0, -2.0))
    assert agreeing < opposed


def test_mixed_images_and_targets_have_the_same_shares() -> None:
    images, targets = np.array([[0.0], [1.0]], np.float32), np.array([[1, 0], [0, 1]], np.float32)
    pixels, shares = mixed(images, targets, 0.4, np.random.default_rng(3))
    assert np.asarray(pixels)[0, 0] == pytest.approx(float(shares[0, 1]))
    assert np.asarray(shares).sum(axis=1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("how", ["crops", "autoaugment"])
def test_an_image_is_changed_by_its_seed_alone(how: str) -> None:
    image, preprocessing = photograph(), replace(Preprocessing.lite(96), channels="RGB")
    one, same, other = (
        augmented(image, preprocessing, how, np.random.default_rng((0, seed)))  # type: ignore[arg-type]
        for seed in (1, 1, 2)
    )
    assert one.shape == (96, 96, 3) and one.dtype == np.uint8
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_channels_are_in_the_order_that_the_preprocessing_says() -> None:
    flat = Image.new("RGB", (40, 40), (250, 10, 10))
    rgb = Preprocessing.lite(32)
    for channels, expected in (("RGB", 0), ("BGR", 2)):
        made = augmented(flat, replace(rgb, channels=channels), "crops", np.random.default_rng(0))  # type: ignore[arg-type]
        assert int(made[0, 0].argmax()) == expected


def test_the_policy_is_the_one_that_torchvision_has_too(torchvision: Any) -> None:
    theirs = torchvision.transforms.AutoAugment(torchvision.transforms.AutoAugmentPolicy.IMAGENET).policies
    names = {"shear_x": "shearx"}
    for ours, pair in zip(autoaugment.IMAGENET, theirs, strict=True):
        for operation, (name, chance, magnitude) in zip(ours, pair, strict=True):
            assert names.get(operation.name, operation.name) == name.lower()
            assert operation.chance == chance
            if magnitude is not None:
                assert operation.magnitude == magnitude


@pytest.mark.parametrize("name", ["invert", "equalize", "autocontrast", "posterize", "solarize", "color", "sharpness"])
def test_an_operation_does_to_pixels_what_torchvisions_does(name: str, torchvision: Any) -> None:
    theirs = torchvision.transforms.autoaugment
    image, magnitude = photograph().resize((64, 64)), 7
    space = theirs.AutoAugment()._augmentation_space(10, (64, 64))
    kind = {"autocontrast": "AutoContrast"}.get(name, name.capitalize())
    strength = float(space[kind][0][magnitude].item()) if space[kind][0].ndim else 0.0
    expected = theirs._apply_op(image, kind, strength, torchvision.transforms.InterpolationMode.BICUBIC, [128] * 3)
    made = autoaugment.applied(image, autoaugment.Operation(name, 1.0, magnitude))
    assert np.abs(np.asarray(made, int) - np.asarray(expected, int)).max() <= (255 if name == "solarize" else 1)
    assert (np.asarray(made) == np.asarray(expected)).mean() > 0.97


def test_every_operation_of_the_policy_keeps_size_and_mode() -> None:
    image = photograph().resize((50, 40))
    for operation in {one for pair in autoaugment.IMAGENET for one in pair}:
        for mirrored in (False, True):
            made = autoaugment.applied(image, operation, mirrored=mirrored)
            assert (made.size, made.mode) == ((50, 40), "RGB")


def test_a_clock_counts_what_was_worked_before_and_keeps_a_reserve() -> None:
    clock = Clock(100.0, before=60.0)
    assert 39 < clock.left() <= 40
    assert clock.epochs(10.0, reserve=5.0) == 3
    assert clock.epochs(50.0, reserve=5.0) == 0
    assert Clock(None).left() == math.inf


def test_fewer_layers_learn_where_time_is_short() -> None:
    net = scaling.official("lite0", 5)
    plenty = depth.affordable(net, 600, 200, 0.02, 600, whole=False)
    little = depth.affordable(net, 6000, 200, 0.02, 600, whole=False)
    assert plenty.first_stage == 0
    assert little.first_stage > 0 and little.seconds < 10 * plenty.seconds
    assert depth.affordable(net, 6000, 200, 0.02, 600, whole=True).first_stage == 0


def test_a_better_epoch_has_more_top1_or_as_much_with_less_loss() -> None:
    row = Row(1, 1.0, 1.0, 0.1, 0.5, 0.8, 0.4, 0.9, best=True)
    assert row.better_than(None)
    assert replace(row, val_top1=0.91, val_loss=0.5).better_than(row)
    assert replace(row, val_loss=0.39).better_than(row)
    assert not replace(row, val_loss=0.41).better_than(row)
    assert to_csv([row]).splitlines()[1] == "1,1,1,0.1,0.5,0.8,0.4,0.9,True"


def test_a_head_tells_what_can_be_told_from_features() -> None:
    import_tensorflow()
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 300)
    features = generator.normal(0, 1, (300, 16)).astype(np.float32)
    features[np.arange(300), labels] += 4
    made = head.fit(features[:200], labels[:200], objective([70, 70, 60], 0.1), 0, (features[200:], labels[200:]))
    assert head.judged(made.logits(features[200:]), labels[200:]).top1 > 0.9
