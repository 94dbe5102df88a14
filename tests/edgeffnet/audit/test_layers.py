"""Where the error enters: layers matched between files, in order, and one with a destroyed scale named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calib import graph
from edgeffnet.audit import layers
from edgeffnet.audit.layers import Layers
from edgeffnet.audit.subject import Port, Subject
from edgeffnet.images import load
from tests.edgeffnet.audit import planted
from tests.edgeffnet.audit.planted import Pair

# Far below any level: what McNemar gives for the plants below on a few hundred images.
SIGNIFICANT = 1e-9
FEW = 4


@pytest.fixture(scope="module")
def pair(data: Path) -> Pair:
    return planted.lite0(data)


def compared(pair: Pair, int8: Subject, count: int = FEW) -> Layers:
    return layers.compare(int8, pair.reference, pair.validation.images[::100], count)


@pytest.fixture(scope="module")
def healthy(pair: Pair) -> Layers:
    return compared(pair, pair.int8)


def test_every_layer_is_compared_in_the_networks_order(healthy: Layers) -> None:
    assert healthy.unmatched is None
    names = [row.name for row in healthy.rows]
    assert len(names) == len(set(names)) == 61
    assert names[0] == "stem_activation"
    assert names[-2:] == ["predictions", "probabilities"]
    assert names.index("block3a_project_conv") < names.index("block3b_project_conv") < names.index("block3b_add")
    assert all(8 < row.snr_db < 90 for row in healthy.rows)
    assert all(row.largest > 0 for row in healthy.rows)
    assert healthy.worst(1)[0].snr_db == min(row.snr_db for row in healthy.rows)


def test_a_layer_knows_what_it_is_computed_from(healthy: Layers) -> None:
    names = [row.name for row in healthy.rows]
    added = healthy.rows[names.index("block3b_add")]
    assert [names[place] for place in added.sources] == ["block3a_project_conv", "block3b_project_conv"]


def test_nothing_is_said_of_a_healthy_model_nor_of_one_that_is_not_significantly_worse(
    pair: Pair, healthy: Layers, tmp_path: Path
) -> None:
    assert layers.findings(healthy, SIGNIFICANT) == []
    broken = planted.edited(pair.int8, tmp_path / "x.tflite", coarse("block3b_project_conv"))
    assert layers.findings(compared(pair, broken), 0.01) == []
    assert layers.findings(compared(pair, broken), None) == []


def coarse(name: str) -> Callable[[Any], None]:
    return lambda model: planted.rescaled(planted.tensor(model, name), 16)


def narrow(name: str) -> Callable[[Any], None]:
    return lambda model: planted.rescaled(planted.tensor(model, name), 1 / 8)


def louder(name: str) -> Callable[[Any], None]:
    return lambda model: planted.rescaled(planted.kernel(model, name), 4)


def softer(name: str) -> Callable[[Any], None]:
    return lambda model: planted.rescaled(planted.kernel(model, name), 1 / 4)


def consistently_softer(name: str) -> Callable[[Any], None]:
    """As a quantizer that got the scale wrong would write it: the bias's follows."""

    def edit(model: Any) -> None:
        for place in (1, 2):
            planted.rescaled(planted.kernel(model, name, place), 1 / 4)

    return edit


@pytest.mark.parametrize("name", ["block3b_project_conv", "block5a_activation"])
@pytest.mark.parametrize("plant", [narrow, louder, softer, consistently_softer])
def test_one_layer_with_a_destroyed_scale_is_named(
    pair: Pair, tmp_path: Path, plant: Callable[[str], Callable[[Any], None]], name: str
) -> None:
    broken = planted.edited(pair.int8, tmp_path / "broken.tflite", plant(name))
    (finding,) = layers.findings(compared(pair, broken), SIGNIFICANT)
    assert finding.name == "layer-destroyed"
    assert finding.evidence["layer"] == name
    assert finding.evidence["snr_db"] < finding.evidence["snr_db_before"] - 8


def test_a_scale_too_coarse_is_named_with_its_grid(pair: Pair, tmp_path: Path) -> None:
    broken = planted.edited(pair.int8, tmp_path / "broken.tflite", coarse("block3b_project_conv"))
    (finding,) = layers.findings(compared(pair, broken), SIGNIFICANT)
    assert finding.evidence["layer"] == "block3b_project_conv"
    assert "too coarse" in finding.said


def test_factors_that_a_recipe_moves_between_channels_are_undone(pair: Pair, tmp_path: Path) -> None:
    """Residual streams then hold other values than the reference's, in a model of the same function."""
    from calib import channels, equalization, statistics

    model = graph.read(pair.producer.float_tflite)
    images = pair.int8.preprocessing.normalise(pair.producer.pixels[:8])
    assert any(not group.bounded for group in channels.groups(model))
    equalization.equalize(model, statistics.collect(graph.write(model), [images]), 0.75)
    path = tmp_path / "factors.tflite"
    path.write_bytes(graph.write(model))
    moved = compared(pair, planted.subject(path, pair.int8.preprocessing, "fp32", Port("float32")))
    undone = [row for row in moved.rows if row.factors]
    assert "block3b_add" in {row.name for row in undone}
    assert all(abs(row.gain - 1) > 0.05 for row in undone)
    assert min(row.snr_db for row in moved.rows) > 50, "the float function is the same"


def test_files_whose_tensors_were_renamed_are_matched_by_their_order(
    pair: Pair, healthy: Layers, tmp_path: Path
) -> None:
    def renamed(model: Any) -> None:
        for index, one in enumerate(model.subgraphs[0].tensors):
            one.name = f"tensor_{index}"

    found = compared(pair, planted.edited(pair.int8, tmp_path / "renamed.tflite", renamed))
    assert [row.name for row in found.rows] == [row.name for row in healthy.rows]
    assert [row.snr_db for row in found.rows] == pytest.approx([row.snr_db for row in healthy.rows])


def test_models_of_other_networks_or_formats_are_not_compared_and_it_is_said_why(pair: Pair, tmp_path: Path) -> None:
    def cut(model: Any) -> None:
        main = model.subgraphs[0]
        main.operators = main.operators[:12]
        main.outputs = [main.operators[-1].outputs[0]]

    found = compared(pair, planted.edited(pair.int8, tmp_path / "cut.tflite", cut))
    assert found.rows == ()
    assert found.unmatched
    assert "counterpart" in found.unmatched
    other = replace(pair.int8, artifact=replace(pair.int8.artifact, format="onnx"))
    mixed = compared(pair, other)
    assert mixed.unmatched
    assert "onnx and tflite" in mixed.unmatched


@pytest.mark.slow
def test_the_layers_of_openvino_models_are_compared_too(pair: Pair) -> None:
    from edgeffnet.report.quiet import quiet

    pair.producer.saturating = True
    with quiet():
        made = {one.artifact.precision: one.artifact for one in pair.producer.produce(("openvino",), lambda _: quiet())}
    int8, reference = (
        planted.subject(made[precision].path, pair.int8.preprocessing, precision, Port("float32"), "openvino")
        for precision in ("int8", "fp32")
    )
    found = layers.compare(int8, reference, pair.validation.images[::100], FEW)
    assert found.unmatched is None
    assert len(found.rows) >= 50
    assert all(row.snr_db > 5 for row in found.rows)
    assert found.rows[-2].name == "predictions"
    assert layers.findings(found, SIGNIFICANT) == []


@pytest.fixture(scope="module")
def onnx_int8(bundle: Path, pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle's ONNX model, quantized by ONNX Runtime on eight images."""
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            name = onnx.load(str(bundle / "model_fp32.onnx")).graph.input[0].name
            pixels = next(load(pair.validation.images[::160][:8], pair.reference.preprocessing))
            self.rows = iter([{name: one[None]} for one in pair.reference.preprocessing.normalise(pixels)])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.rows, None)

    made = tmp_path_factory.mktemp("onnx") / "int8.onnx"
    quantization.quantize_static(bundle / "model_fp32.onnx", made, Reader(), per_channel=True)
    return made


def compared_onnx(pair: Pair, bundle: Path, int8: Path) -> Layers:
    one, other = (
        planted.subject(path, pair.reference.preprocessing, precision, Port("float32"), "onnx")
        for path, precision in ((int8, "int8"), (bundle / "model_fp32.onnx", "fp32"))
    )
    return layers.compare(one, other, pair.validation.images[::100], FEW)


def test_the_layers_of_onnx_models_are_compared_too(pair: Pair, bundle: Path, onnx_int8: Path) -> None:
    found = compared_onnx(pair, bundle, onnx_int8)
    assert found.unmatched is None
    assert len(found.rows) == 61
    assert [row.operator for row in found.rows[:3]] == ["Conv"] * 3
    assert all(row.snr_db > 8 for row in found.rows)
    assert sum(row.grid is not None for row in found.rows) >= 60
    assert layers.findings(found, SIGNIFICANT) == []


def test_a_destroyed_scale_in_onnx_is_named(pair: Pair, bundle: Path, onnx_int8: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(onnx_int8))
    (scale,) = [one for one in model.graph.initializer if one.name == "block3b_project_conv.Conv.output_scale"]
    scale.CopyFrom(onnx.numpy_helper.from_array(16 * onnx.numpy_helper.to_array(scale), scale.name))
    onnx.save(model, str(tmp_path / "coarse.onnx"))
    found = compared_onnx(pair, bundle, tmp_path / "coarse.onnx")
    (finding,) = layers.findings(found, SIGNIFICANT)
    assert "block3b_project_conv" in finding.said
    assert "its scale is too coarse" in finding.said
