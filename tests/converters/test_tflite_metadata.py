"""Metadata and label file of a `.tflite`: names of any kind, and the same bytes each time."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from converters.description import Description
from converters.label_file import labels_in
from converters.tflite_metadata import with_metadata
from edgeffnet.audit.tflite_metadata import stated
from edgeffnet.images import Preprocessing
from tests.calib.graphs import Builder

AWKWARD = ("Siamese, cat", 'a "quoted" name', "l'école", "猫", "ß/ü", "tab\tinside", " blanks ", "", "x" * 1000, ";#%")


@pytest.fixture(scope="module")
def model() -> bytes:
    """One convolution over an image of 8 pixels."""
    builder = Builder((1, 8, 8, 3))
    kernel, bias = np.ones((10, 1, 1, 3), np.float32), np.arange(10, dtype=np.float32)
    return builder.bytes(builder.conv(builder.entry, "conv", kernel, bias))


def described(labels: tuple[str, ...]) -> Description:
    contract = Preprocessing(8, 0.875, "bicubic", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    return Description("net", labels=labels, **contract.to_dict())


def test_awkward_names_come_back_as_they_were(model: bytes) -> None:
    made = with_metadata(model, described(AWKWARD), "float32", "probabilities")
    assert labels_in(made) == AWKWARD


@pytest.mark.parametrize("count", [0, 1, 100_000])
def test_any_number_of_names_is_carried(model: bytes, count: int) -> None:
    names = tuple(f"class {index}" for index in range(count))
    made = with_metadata(model, described(names), "uint8", "probabilities")
    assert labels_in(made) == names


def test_the_model_still_computes_and_a_zip_reader_finds_the_labels(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(with_metadata(model, described(AWKWARD), "float32", "probabilities"))
    before, after = Interpreter(model_content=model), Interpreter(str(path))
    outputs = []
    for interpreter in (before, after):
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.full((1, 8, 8, 3), 0.5, np.float32))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    assert (outputs[0] == outputs[1]).all()
    assert zipfile.ZipFile(path).namelist() == ["labels.txt"]


def test_the_stated_normalisation_is_read_back(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(with_metadata(model, described(AWKWARD), "float32", "probabilities"))
    lite = Preprocessing.lite(8)
    found = stated(path, lite)
    assert found is not None
    assert found.mean == pytest.approx((123.675, 116.28, 103.53))
    assert found.std == pytest.approx((58.395, 57.12, 57.375))
    contract = replace(lite, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
    assert stated(path, contract) == contract, "float32 of the contract's values is no difference"
    other = replace(contract, mean=(123.6751, 116.28, 103.53))
    assert stated(path, other) != other


def test_the_same_is_written_each_time_and_again_over_itself(model: bytes) -> None:
    made = with_metadata(model, described(AWKWARD), "float32", "probabilities")
    assert with_metadata(model, described(AWKWARD), "float32", "probabilities") == made
    assert with_metadata(made, described(AWKWARD), "float32", "probabilities") == made


def test_metadata_is_what_mediapipes_schema_reads(model: bytes) -> None:
    schema = pytest.importorskip("mediapipe.tasks.metadata.metadata_schema_py_generated")
    from calib import graph

    read = graph.read(with_metadata(model, described(AWKWARD), "float32", "probabilities"))
    entry = next(one for one in read.metadata if one.name == b"TFLITE_METADATA")
    data = bytes(read.buffers[entry.buffer].data)
    assert schema.ModelMetadata.ModelMetadataBufferHasIdentifier(data, 0)
    graph_metadata = schema.ModelMetadataT.InitFromObj(schema.ModelMetadata.GetRootAs(data, 0)).subgraphMetadata[0]
    image, scores = graph_metadata.inputTensorMetadata[0], graph_metadata.outputTensorMetadata[0]
    properties = image.content.contentProperties
    assert properties.colorSpace == schema.ColorSpaceType.RGB
    assert (properties.defaultSize.width, properties.defaultSize.height) == (8, 8)
    assert image.processUnits[0].options.std == pytest.approx((58.395, 57.12, 57.375))
    assert image.stats.min == pytest.approx([-123.675 / 58.395, -116.28 / 57.12, -103.53 / 57.375])
    assert scores.associatedFiles[0].name == b"labels.txt"
    assert scores.associatedFiles[0].type == schema.AssociatedFileType.TENSOR_AXIS_LABELS
