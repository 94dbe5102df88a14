"""Layer names found inside the names converters make up."""

import pytest

from converters.names import layer_of

LAYERS = ("stem_conv", "block2b_add", "block_1")


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("net_1/stem_conv_1/BiasAdd", "stem_conv"),
        ("stem_conv", "stem_conv"),
        ("net/block_1/Relu", "block_1"),
        ("net/block_1_2/Relu", "block_1"),
        ("net_1/block2b_add_1/Add", "block2b_add"),
        ("const_fold_opt__263", None),
    ],
)
def test_a_layer_is_found_with_or_without_kerass_number(name: str, layer: str | None) -> None:
    assert layer_of(name, LAYERS) == layer
