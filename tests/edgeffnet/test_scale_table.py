import json

import pytest

from edgeffnet import scale_table, scaling


@pytest.mark.parametrize("name", scaling.VARIANTS)
def test_ours_and_the_published_figures_differ_by_at_most_seven_percent(name):
    row = scale_table.row(scaling.official(name))
    assert row.macs == pytest.approx(row.published_macs, rel=0.07)
    assert row.parameters == pytest.approx(row.published_parameters, rel=0.07)


def test_a_network_nobody_published_has_no_published_figures():
    changed = scaling.official("b0", overrides=scaling.Overrides(resolution=192))
    for row in scale_table.rows([scaling.architecture_at(0.35), changed, scaling.official("b0", classes=10)]):
        assert row.published_macs is None
        assert row.published_parameters is None


def test_a_row_survives_json():
    row = scale_table.row(scaling.architecture_at(-1.5, rule="tinynet"))
    assert scale_table.ScaleRow(**json.loads(json.dumps(row.to_dict()))) == row
    assert row.rule == "tinynet"


def test_memory_of_b0_is_its_first_depthwise_convolutions():
    # 112 x 112 pixels: 32 channels, the sigmoid of the first, and their product; then block 2's 96.
    row = scale_table.row(scaling.official("b0"))
    assert row.activation_peak_bytes == 3 * 112 * 112 * 96
