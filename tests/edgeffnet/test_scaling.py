import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeffnet import cost, scaling
from edgeffnet.errors import UsageError
from edgeffnet.rules import TINYNET_POINTS, CompoundRule
from edgeffnet.scaling import Overrides, architecture_at

PARAMETERS = {
    "b0": 5_288_548,
    "b1": 7_794_184,
    "b2": 9_109_994,
    "b3": 12_233_232,
    "b4": 19_341_616,
    "b5": 30_389_784,
    "b6": 43_040_704,
    "b7": 66_347_960,
    "lite0": 4_652_008,
    "lite1": 5_416_680,
    "lite2": 6_092_072,
}
FAMILIES = st.sampled_from(["efficientnet", "lite"])
PHI = st.floats(-12, 7)


@pytest.mark.parametrize("name", PARAMETERS)
def test_official_variant_has_the_published_number_of_trainable_parameters(name):
    assert cost.total(scaling.official(name)).parameters == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "resolution"), [("b0", 224), ("b2", 260), ("b5", 456), ("b7", 600), ("lite3", 280), ("lite4", 300)]
)
def test_official_variant_has_the_published_resolution(name, resolution):
    assert scaling.official(name).resolution == resolution


@pytest.mark.parametrize("family", ["efficientnet", "lite"])
@pytest.mark.parametrize("rule", ["compound", "tinynet"])
def test_phi_zero_is_the_base_network(family, rule):
    base = scaling.official("b0" if family == "efficientnet" else "lite0")
    made = architecture_at(0, family=family, rule=rule)
    assert list(made.blocks()) == list(base.blocks())
    assert (made.stem_channels, made.head_channels, made.resolution, made.dropout) == (
        base.stem_channels,
        base.head_channels,
        base.resolution,
        base.dropout,
    )


def test_the_rule_says_518_pixels_where_b7_is_600():
    assert architecture_at(6).resolution == 518
    assert scaling.official("b7").resolution == 600


@given(FAMILIES, PHI, PHI)
@settings(max_examples=200, deadline=None)
def test_parameters_macs_and_resolution_grow_with_phi(family, one, other):
    small, large = (architecture_at(phi, family=family) for phi in sorted((one, other)))
    assert small.resolution <= large.resolution
    assert cost.total(small).parameters <= cost.total(large).parameters
    assert cost.total(small).macs <= cost.total(large).macs


@given(FAMILIES, st.floats(-5, -0.2), st.floats(-5, -0.2))
@settings(max_examples=100, deadline=None)
def test_parameters_macs_and_resolution_grow_with_phi_under_tinynet(family, one, other):
    small, large = (architecture_at(phi, family=family, rule="tinynet") for phi in sorted((one, other)))
    assert small.resolution <= large.resolution
    assert cost.total(small).parameters <= cost.total(large).parameters
    assert cost.total(small).macs <= cost.total(large).macs


@given(st.floats(1, 10_000))
def test_rounding_never_shrinks_a_layer_by_more_than_a_tenth(channels):
    rounded = scaling.round_channels(channels)
    assert rounded % 8 == 0
    assert rounded >= 0.9 * channels


@given(FAMILIES, PHI)
@settings(max_examples=100, deadline=None)
def test_no_layer_of_a_network_is_more_than_a_tenth_below_its_width(family, phi):
    made, base = architecture_at(phi, family=family), architecture_at(0, family=family)
    for channels in ("stem_channels", "head_channels"):
        width = 1.0 if family == "lite" else made.width
        assert getattr(made, channels) >= 0.9 * getattr(base, channels) * width
    for stage, unscaled in zip(made.stages, base.stages, strict=True):
        assert stage.channels >= 0.9 * unscaled.channels * made.width
        assert stage.repeats >= 1


# Published parameters in millions and multiply-adds in millions (Han et al. 2020).
@pytest.mark.parametrize(
    ("point", "parameters", "macs"), [("a", 6.2, 339), ("b", 3.7, 202), ("c", 2.5, 100), ("d", 2.3, 52), ("e", 2.0, 24)]
)
def test_tinynet_rule_passes_through_the_published_networks(point, parameters, macs):
    phi, coefficients = TINYNET_POINTS[point]
    made = architecture_at(phi, rule="tinynet")
    costs = cost.total(made)
    assert (made.width, made.depth, made.resolution) == (
        coefficients.width,
        coefficients.depth,
        coefficients.resolution,
    )
    assert costs.parameters / 1e6 == pytest.approx(parameters, abs=0.05)
    assert costs.macs / 1e6 == pytest.approx(macs, rel=0.02)


def test_tinynet_rule_is_refused_above_the_base_network():
    with pytest.raises(UsageError, match="phi <= 0"):
        architecture_at(0.5, rule="tinynet")


def test_the_architecture_says_which_rule_made_it():
    assert architecture_at(-1).rule == "compound"
    assert architecture_at(-1, rule="tinynet").rule == "tinynet"
    assert architecture_at(1, rule=CompoundRule(1.3, 1.05, 1.2)).rule == "compound alpha=1.3 beta=1.05 gamma=1.2"
    assert scaling.official("b1").rule == "official"


def test_constants_are_settable():
    deeper = architecture_at(2, rule=CompoundRule(alpha=1.5, beta=1.0, gamma=1.0))
    assert (deeper.width, deeper.depth, deeper.resolution) == (1.0, 2.25, 224)


@pytest.mark.parametrize("constant", [0.9, 0.0, -1.0, math.nan, math.inf])
def test_a_constant_that_would_shrink_networks_as_phi_grows_is_refused(constant):
    with pytest.raises(UsageError, match="gamma"):
        CompoundRule(gamma=constant)


def test_a_stated_coefficient_replaces_the_rules_and_is_reported():
    made = architecture_at(1, overrides=Overrides(resolution=200))
    assert (made.resolution, made.width) == (200, architecture_at(1).width)
    assert made.rule == "compound, resolution 200"
    variant = scaling.official("b1", overrides=Overrides(depth=1.0))
    assert list(variant.blocks()) == list(scaling.official("b0").blocks())
    assert variant.rule == "official, depth 1"
    assert variant.name != "b1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"phi": -16.0}, "at least 32 pixels"),
        ({"phi": -6.5, "rule": "tinynet"}, "leaves a stage of 1 blocks with none"),
        ({"phi": 0.0, "overrides": Overrides(width=0.2)}, "leaves a layer of 16 channels with none"),
        ({"phi": 0.0, "overrides": Overrides(width=0.0)}, "width is 0"),
        ({"phi": 0.0, "overrides": Overrides(depth=-1.0)}, "depth is -1"),
        ({"phi": 0.0, "overrides": Overrides(resolution=31)}, "resolution 31 is too small"),
        ({"phi": 30.0}, r"needs 2,4\d\d.\d GB"),
        ({"phi": 100.0}, r"needs [\d,.]+ GB"),
        ({"phi": 1.0, "memory": 1_000_000}, r"needs 0.1 GB .* has 0.0 GB"),
        ({"phi": 1e9}, "too large"),
        ({"phi": math.nan}, "phi is nan"),
        ({"phi": 1.0, "rule": "cubic"}, "compound, tinynet"),
        ({"phi": 1.0, "classes": 0}, "classes"),
    ],
)
def test_an_impossible_network_is_a_usage_error_in_one_line(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        architecture_at(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"overrides": Overrides(resolution=1_000_000)}, r"b0, resolution 1e\+06 needs 288,000.0 GB"),
        ({"overrides": Overrides(depth=1e7)}, "needs [0-9,.]+ GB"),
        ({"classes": 10**11}, "needs [0-9,.]+ GB"),
        ({"overrides": Overrides(resolution=16)}, "at least 32 pixels"),
    ],
)
def test_an_official_variant_changed_beyond_the_possible_is_refused_like_any_other(arguments, message):
    with pytest.raises(UsageError, match=message):
        scaling.official("b0", **arguments)


def test_another_resolution_is_checked_and_told():
    b0 = scaling.official("b0")
    assert scaling.at_resolution(b0, 224) == b0
    assert scaling.at_resolution(b0, 128).rule == "official, resolution 128"
    for pixels in (31, 1_000_000):
        with pytest.raises(UsageError, match=r"pixels|GB"):
            scaling.at_resolution(b0, pixels)


def test_an_unknown_variant_names_its_neighbours():
    with pytest.raises(UsageError, match="b7"):
        scaling.variant_named("b77")
