"""Paired statistics against scipy and closed forms, and intervals' coverage by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from edgeffnet.audit.accuracy import paired_accuracy
from edgeffnet.audit.confidence import calibration_error
from edgeffnet.audit.output_error import output_error
from edgeffnet.audit.paired import holm, mcnemar, ratio
from edgeffnet.audit.per_class import per_class
from edgeffnet.audit.records import Records, records

CLASSES = 7


@pytest.mark.parametrize(("worse", "better"), [(0, 0), (1, 0), (9, 2), (2, 9), (40, 40), (30, 71), (4000, 4300)])
def test_mcnemar_is_the_exact_binomial_test_of_the_flips(worse: int, better: int) -> None:
    expected = stats.binomtest(worse, worse + better).pvalue if worse + better else 1.0
    assert mcnemar(worse, better) == pytest.approx(expected, rel=1e-8)


def test_mcnemar_of_a_rout_is_small_and_positive() -> None:
    assert 0 < mcnemar(300, 2) < 1e-60


def test_holm_rejects_exactly_what_stepping_down_rejects() -> None:
    values = np.random.default_rng(3).beta(0.3, 2, 25)
    adjusted = np.array(holm(list(values)))
    for level in (0.001, 0.01, 0.05, 0.3):
        order = np.argsort(values)
        failing = (index for index, place in enumerate(order) if values[place] > level / (len(values) - index))
        rejected = set(order[: next(failing, len(values))])
        assert set(np.flatnonzero(adjusted <= level)) == rejected


def test_holm_of_one_value_is_that_value() -> None:
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_a_ratios_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    for worse, better, both in ((0.012, 0.006, 0.82), (0.05, 0.01, 0.4), (0.002, 0.002, 0.9)):
        for trials in (200, 1300):
            truth = (both + better) / (both + worse)
            shares = [worse, better, both, 1 - worse - better - both]
            inside = []
            for b, c, a, _ in generator.multinomial(trials, shares, size=3000):
                found = ratio(int(a), int(b), int(c))
                assert found is not None
                inside.append(found.low <= truth <= found.high)
            assert np.mean(inside) >= 0.94, (worse, better, both, trials)


def test_a_ratios_interval_agrees_with_the_delta_method_on_many_images() -> None:
    both, worse, better = 39_000, 900, 700
    found = ratio(both, worse, better)
    assert found is not None
    deviation = np.sqrt((worse + better) / ((both + worse) * (both + better)))
    z = special.ndtri(0.975)
    assert found.value == (both + better) / (both + worse)
    assert found.low == pytest.approx(found.value * np.exp(-z * deviation), abs=2e-5)
    assert found.high == pytest.approx(found.value * np.exp(z * deviation), abs=2e-5)


def test_a_ratio_to_nothing_is_not_known() -> None:
    assert ratio(0, 0, 3) is None


def test_equal_models_have_a_ratio_of_one_and_an_interval() -> None:
    found = ratio(100, 0, 0)
    assert found is not None
    assert found.low < found.value == 1 < found.high


def test_calibration_error_of_a_model_as_right_as_it_says_is_near_zero() -> None:
    generator = np.random.default_rng(2)
    said = generator.uniform(0.05, 1, 200_000).astype(np.float32)
    right = generator.uniform(size=len(said)) < said
    assert calibration_error(said, right) < 0.01
    # All that it says too much is the error.
    assert calibration_error(np.minimum(said * 0 + 0.9, 1), generator.uniform(size=len(said)) < 0.7) == pytest.approx(
        0.2, abs=0.01
    )


def test_calibration_error_weighs_bins_by_their_images() -> None:
    said = np.array([0.95, 0.95, 0.95, 0.5], np.float32)
    right = np.array([True, True, False, True])
    assert calibration_error(said, right) == pytest.approx((3 * abs(2 / 3 - 0.95) + abs(1 - 0.5)) / 4, abs=1e-6)


def scores(count: int, seed: int) -> NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(0, 2, (count, CLASSES))
    return np.asarray(special.log_softmax(logits, axis=1), np.float32)


def recorded(reference: NDArray[np.float32], int8: NDArray[np.float32], labels: NDArray[np.int64]) -> Records:
    """Records made in shards of uneven size, as a stream makes them."""
    cuts = [0, 3, 4, 40, len(labels)]
    places = np.arange(len(labels))
    return np.concatenate(
        [
            records(places[start:stop], labels[start:stop], reference[start:stop], int8[start:stop])
            for start, stop in itertools.pairwise(cuts)
        ]
    )


def test_streamed_records_give_the_figures_of_the_whole() -> None:
    count = 300
    reference = scores(count, 0)
    int8 = special.log_softmax(reference + np.random.default_rng(1).normal(0, 0.4, reference.shape), axis=1)
    int8 = int8.astype(np.float32)
    labels = np.random.default_rng(2).integers(0, CLASSES, count)
    found = recorded(reference, int8, labels)
    accuracy, error = paired_accuracy(found), output_error(found)
    mine, theirs = int8.argmax(axis=1), reference.argmax(axis=1)
    assert accuracy.int8 and accuracy.reference and accuracy.flips and accuracy.drop
    assert accuracy.int8.top1.value == (mine == labels).mean()
    assert accuracy.int8.top5.value == np.mean(
        [label in row.argsort()[-5:] for label, row in zip(labels, int8, strict=True)]
    )
    assert accuracy.agreement.value == (mine == theirs).mean()
    assert accuracy.flips.worse == ((theirs == labels) & (mine != labels)).sum()
    assert accuracy.drop.value == pytest.approx(100 * ((theirs == labels).mean() - (mine == labels).mean()))
    assert error.kl == pytest.approx(
        np.mean([stats.entropy(*np.exp(pair)) for pair in zip(reference, int8, strict=True)]), rel=1e-4
    )
    assert error.largest == pytest.approx(np.abs(np.exp(reference) - np.exp(int8)).max())
    from converters.check import difference

    assert error.snr_db == pytest.approx(difference(reference, int8).snr_db, abs=1e-4)


def test_equal_outputs_have_no_error_and_no_drop() -> None:
    same = scores(60, 5)
    found = recorded(same, same, same.argmax(axis=1))
    assert output_error(found).snr_db is None
    assert output_error(found).kl == output_error(found).largest == 0
    accuracy = paired_accuracy(found)
    assert accuracy.drop and accuracy.drop.value == 0
    assert accuracy.relative and accuracy.relative.value == 1


def test_ties_go_to_the_lower_class_and_are_counted() -> None:
    tied = np.log(np.array([[0.4, 0.4, 0.2], [0.2, 0.5, 0.3]], np.float32))
    found = records(np.arange(2), np.array([0, 1]), tied, tied)
    assert found["int8"][:, 0].tolist() == [0, 1]
    assert found["int8"][0].tolist() == [0, 1, 2, -1, -1]
    assert paired_accuracy(found).ties == 1


def test_without_labels_only_agreement_is_known() -> None:
    same = scores(60, 5)
    found = paired_accuracy(recorded(same, same, np.full(60, -1)))
    assert found.agreement.value == 1
    assert found.reference is found.int8 is found.drop is found.relative is found.flips is None


def test_errors_below_what_an_output_can_say_do_not_count() -> None:
    reference = np.log(np.array([[0.9, 0.1 - 1e-9, 1e-9]], np.float32))
    int8 = np.log(np.array([[0.9, 0.1, 1e-30]], np.float32))
    at = np.arange(1), np.array([0])
    assert records(*at, reference, int8)["noise"][0] > 100
    assert records(*at, reference, int8, floor=1 / 512)["noise"][0] < 1e-9


def test_a_class_that_int8_lost_stands_out_of_many() -> None:
    labels = np.repeat(np.arange(20), 30).astype(np.int32)
    reference = np.random.default_rng(0).uniform(size=len(labels)) < 0.9
    int8 = reference.copy()
    int8[labels == 4] = False
    int8[::50] = ~int8[::50]
    found = per_class(labels, reference, int8, [f"class {index}" for index in range(22)])
    assert [one.index for one in found] == list(range(20))
    assert [one.label for one in found if one.p_adjusted < 0.001] == ["class 4"]
    lost = found[4]
    assert lost.images == 30
    assert lost.drop == pytest.approx(100 * (lost.reference - lost.int8))
    assert lost.p == pytest.approx(
        stats.binomtest(int((reference & ~int8)[labels == 4].sum()), int((reference ^ int8)[labels == 4].sum())).pvalue
    )
    assert lost.p < lost.p_adjusted
