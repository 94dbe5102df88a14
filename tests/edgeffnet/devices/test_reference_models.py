"""Published networks: their size must be the published one, or a row means nothing."""

from __future__ import annotations

import pytest

from edgeffnet import cost, scaling
from edgeffnet.devices.reference_models import names, reference_model
from edgeffnet.errors import DataError


@pytest.mark.parametrize(
    ("name", "mega_macs", "mega_weights"),
    [
        ("mobilenet-v1", 569, 4.2),
        ("mobilenet-v2", 300, 3.5),
        ("mobilenet-v3-large", 217, 5.4),
        ("mobilenet-v3-small", 56, 2.5),
        ("lite0", 385, 4.6),
        ("b0", 386, 5.3),
    ],
)
def test_classifiers_have_their_published_size(name: str, mega_macs: float, mega_weights: float) -> None:
    operators = reference_model(name).operators
    assert sum(operator.macs for operator in operators) / 1e6 == pytest.approx(mega_macs, rel=0.02)
    assert sum(operator.weights for operator in operators) / 1e6 == pytest.approx(mega_weights, rel=0.03)


def test_detectors_grow_in_order_and_choose_among_their_anchors() -> None:
    detectors = [reference_model(f"efficientdet-lite{index}") for index in ("0", "1", "2", "3", "3x", "4")]
    macs = [sum(operator.macs for operator in detector.operators) for detector in detectors]
    assert macs == sorted(macs)
    assert detectors[0].post_elements == 9 * (40**2 + 20**2 + 10**2 + 5**2 + 3**2) * 90


def test_a_scaled_name_is_the_family_at_that_scale() -> None:
    assert reference_model("lite:1.1,1.2,260").operators == cost.operators(scaling.official("lite2"))


@pytest.mark.parametrize("name", ["lite9", "lite:1,1", "lite:0,1,224", "lite:a,b,c", ""])
def test_an_unknown_model_is_refused(name: str) -> None:
    with pytest.raises(DataError):
        reference_model(name)


def test_every_known_name_can_be_built() -> None:
    assert all(reference_model(name).operators for name in names())
