import subprocess
import sys
from dataclasses import replace

import pytest

from edgeffnet import cost, scaling


def operator(architecture, name):
    return next(op for op in cost.operators(architecture) if op.name == name)


def test_macs_of_a_convolution_are_output_pixels_times_kernel():
    b0 = scaling.official("b0")
    assert operator(b0, "stem_conv").macs == 112 * 112 * 3 * 3 * 3 * 32
    assert operator(b0, "block2a_dwconv").macs == 56 * 56 * 3 * 3 * 96
    assert operator(b0, "predictions").macs == 1280 * 1000


def test_bytes_moved_are_activations_and_weights_at_the_precision_s_width():
    b0 = scaling.official("b0")
    excite = operator(b0, "block1a_se_excite")
    assert (excite.bytes_read("int8"), excite.bytes_written("int8")) == (112 * 112 * 32 + 32, 112 * 112 * 32)
    assert excite.bytes_read("fp32") == 4 * (112 * 112 * 32 + 32)
    stem = operator(b0, "stem_conv")
    assert stem.bytes_read("int8") == 224 * 224 * 3 + 27 * 32 + 4 * 32
    assert stem.bytes_read("fp32") == 4 * (224 * 224 * 3 + 27 * 32 + 32)
    total = cost.total(b0)
    assert total.bytes_written == sum(op.output.elements for op in cost.operators(b0))


def test_parameters_count_batch_norm_and_weights_count_the_bias_it_folds_into():
    stem = operator(scaling.official("b0"), "stem_conv")
    assert (stem.parameters, stem.weights) == (27 * 32 + 2 * 32, 27 * 32 + 32)


def test_a_residual_keeps_its_entry_alive_until_it_is_added():
    b0 = scaling.official("b0")
    entry = 56 * 56 * 24
    assert operator(b0, "block2b_project_conv").live == entry + 56 * 56 * 144 + 56 * 56 * 24
    assert operator(b0, "block2a_project_conv").live == 56 * 56 * 96 + 56 * 56 * 24


def test_torch_padding_costs_a_pass_over_memory_but_no_macs():
    same = scaling.official("b0")
    symmetric = replace(same, padding="symmetric")
    assert cost.total(symmetric).macs == cost.total(same).macs
    assert cost.total(symmetric).bytes_read > cost.total(same).bytes_read
    assert operator(symmetric, "stem_conv_pad").output.size == 226


@pytest.mark.parametrize("name", ["b0", "b7", "lite4"])
def test_the_size_in_float_is_that_of_the_operators_whatever_the_depth(name):
    architecture = scaling.official(name)
    costs = cost.total(architecture)
    assert cost.float_bytes(architecture) == 4 * (costs.weights + costs.peak)


def test_counting_imports_no_framework():
    code = (
        "import sys; from edgeffnet import cost, scale_table, scaling; cost.total(scaling.official('b7'));"
        "print([name for name in ('keras', 'tensorflow', 'numpy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
