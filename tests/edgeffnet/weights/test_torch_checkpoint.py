import csv
import json
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from weight_samples import lively_tensors, outputs, small, whole_image

from edgeffnet import network, scaling, weights
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing, read
from edgeffnet.weights import torch_names

safetensors = pytest.importorskip("safetensors.numpy", reason="its own writer is what the reader is held to")

IMAGENET = tuple(255 * value for value in (0.485, 0.456, 0.406)), tuple(255 * value for value in (0.229, 0.224, 0.225))


def state_of(architecture, naming, seed=0):
    """The network's random tensors under a library's names, in torch's layouts."""
    modules = torch_names.NAMINGS[naming](architecture)
    names = torch_names.originals(modules)
    state = {}
    for name, value in lively_tensors(architecture, seed).items():
        if value.ndim == 4:
            value = value.transpose((2, 3, 0, 1) if "dwconv" in name else (3, 2, 0, 1))
        state[names[name]] = np.ascontiguousarray(value.T if value.ndim == 2 else value)
    return state


def write(state, path):
    safetensors.save_file(state, path)
    return str(path)


def lively_timm(timm, torch, name, **arguments):
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **arguments).eval()
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.8, 1.2),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.7, 1.4),
            ):
                tensor.data.uniform_(low, high, generator=generator)
    return model


def theirs(torch, model, preprocessing, pixels):
    resized = np.stack([preprocessing.pixels(Image.fromarray(image)) for image in pixels])
    batch = torch.from_numpy(preprocessing.normalise(resized).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        return model(batch).numpy()


@pytest.mark.parametrize(
    ("name", "variant", "padding", "epsilon"),
    [
        ("efficientnet_b0", "b0", "symmetric", 1e-5),
        ("tf_efficientnet_b0", "b0", "same", 1e-3),
        ("tf_efficientnet_lite0", "lite0", "same", 1e-3),
    ],
)
def test_outputs_equal_timm_on_photographs(name, variant, padding, epsilon, timm, torch, tmp_path, photographs):
    from timm.models._hub import save_config_for_hf

    model = lively_timm(timm, torch, name)
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    path = write(state, tmp_path / "model.safetensors")
    save_config_for_hf(model, tmp_path / "config.json")
    loaded = weights.load(path, variant=variant)
    config = model.default_cfg
    assert (loaded.architecture.padding, loaded.architecture.bn_epsilon) == (padding, epsilon)
    assert loaded.preprocessing.mean == pytest.approx([255 * value for value in config["mean"]])
    assert loaded.preprocessing.std == pytest.approx([255 * value for value in config["std"]])
    assert (loaded.preprocessing.crop, loaded.preprocessing.interpolation) == (0.875, "bicubic")
    expected = theirs(torch, model, loaded.preprocessing, photographs)
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(outputs(loaded, photographs), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["tf_efficientnet_b7", "tf_efficientnet_lite4", "efficientnet_b3"])
def test_every_tensor_of_timms_larger_networks_has_a_place(name, timm, torch):
    variant = name.split("_")[-1]
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False)
    theirs = {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
    architecture = scaling.official(variant)
    names = torch_names.originals(torch_names.timm(architecture))
    assert {names[name] for name in network.tensor_shapes(architecture)} == theirs


@pytest.mark.parametrize("name", ["b0", "b5"])
def test_outputs_and_epsilon_equal_torchvision(name, torchvision, torch, tmp_path, photographs):
    model = getattr(torchvision.models, f"efficientnet_{name}")().eval()
    architecture = scaling.official(name)
    state = {key: torch.from_numpy(value) for key, value in state_of(architecture, "torchvision").items()}
    model.load_state_dict(state, strict=False)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    loaded = weights.load(str(tmp_path / "model.pth"), variant=name, preprocessing=whole_image(96, 127.0, 128.0))
    assert loaded.architecture.bn_epsilon == model.features[0][1].eps
    expected = theirs(torch, model, loaded.preprocessing, photographs)
    np.testing.assert_allclose(outputs(loaded, photographs), expected, atol=1e-4)


def test_trained_b0_with_torchvision_names_is_as_accurate_as_its_readme_says(data):
    folder = data / "imagenette_b0"
    stated = Preprocessing(128, 128 / 160, "bicubic", *IMAGENET)
    for suffix in ("pth", "safetensors"):
        path = str(folder / f"efficientnet_b0_imagenette.{suffix}")
        loaded = weights.load(path, variant="b0", classes=10, preprocessing=stated)
    model = network.build(loaded.architecture, batch=32)
    network.assign(model, loaded.tensors)
    with (folder / "eval.csv").open() as file:
        rows = list(csv.DictReader(file))
    pixels = np.stack([stated.pixels(read(folder / "eval" / row["file"])) for row in rows])
    padded = np.concatenate([pixels, pixels[: -len(pixels) % 32]])
    logits = model.predict(stated.normalise(padded), batch_size=32, verbose=0)[: len(pixels)]
    accuracy = np.mean(logits.argmax(1) == [int(row["label"]) for row in rows])
    assert accuracy == pytest.approx(0.9467, abs=0.003)


@pytest.mark.parametrize("naming", ["timm", "torchvision", "lukemelas"])
@pytest.mark.parametrize("variant", ["b1", "lite1"])
def test_each_naming_is_told_by_its_keys(naming, variant, tmp_path):
    architecture = small(variant, classes=7)
    path = write(state_of(architecture, naming), tmp_path / f"tf_efficientnet_{variant}.safetensors")
    loaded = weights.load(path, variant=variant, preprocessing=whole_image(64))
    expected = lively_tensors(architecture)
    assert loaded.tensors.keys() == expected.keys()
    assert all(np.array_equal(loaded.tensors[name], expected[name]) for name in expected)
    assert loaded.architecture.classes == 7
    assert loaded.architecture.padding == ("symmetric" if naming == "torchvision" else "same")
    assert loaded.trained


def test_an_architecture_keeps_its_resolution_where_a_variants_gives_way(tmp_path):
    path = write(state_of(small(classes=5), "lukemelas"), tmp_path / "model.safetensors")
    stated = whole_image(96)
    by_variant = weights.load(path, variant="b0", preprocessing=stated)
    assert (by_variant.architecture.resolution, by_variant.preprocessing.resolution) == (96, 96)
    fixed = weights.load(path, architecture=small(classes=5, resolution=160), preprocessing=stated)
    assert (fixed.architecture.resolution, fixed.preprocessing.resolution) == (160, 160)


def test_weights_fit_a_network_at_any_phi(tmp_path):
    architecture = scaling.architecture_at(-1.5, rule="tinynet", classes=4)
    path = write(state_of(architecture, "timm"), tmp_path / "tinynet_b.safetensors")
    loaded = weights.load(path, architecture=architecture, preprocessing=whole_image(64))
    assert loaded.architecture == replace(architecture, padding="symmetric", bn_epsilon=1e-5)


@pytest.mark.parametrize(
    ("file", "padding", "epsilon"),
    [
        ("tf_efficientnet_b0_mine.safetensors", "same", 1e-3),
        ("efficientnet_b0-finetuned.safetensors", "symmetric", 1e-5),
    ],
)
def test_a_timm_files_name_states_its_padding(file, padding, epsilon, tmp_path):
    path = write(state_of(small(), "timm"), tmp_path / file)
    loaded = weights.load(path, variant="b0", preprocessing=whole_image(64))
    assert (loaded.architecture.padding, loaded.architecture.bn_epsilon) == (padding, epsilon)


def test_timm_weights_that_state_no_padding_are_asked_about(tmp_path):
    path = write(state_of(small(), "timm"), tmp_path / "model.safetensors")
    with pytest.raises(UsageError, match=r"config\.json"):
        weights.load(path, variant="b0", preprocessing=whole_image(64))


def test_preprocessing_nobody_stated_is_asked_for(tmp_path):
    path = write(state_of(small(), "timm"), tmp_path / "tf_efficientnet_b0.safetensors")
    with pytest.raises(UsageError, match="--preprocessing FILE"):
        weights.load(path, variant="b0")


def test_a_squashing_resize_cannot_be_expressed_and_is_asked_for(tmp_path):
    path = write(state_of(small(), "timm"), tmp_path / "model.safetensors")
    stated = {"input_size": [3, 64, 64], "crop_pct": 1.0, "crop_mode": "squash", "interpolation": "bicubic"}
    stated |= {"mean": [0.5] * 3, "std": [0.5] * 3}
    config = {"architecture": "efficientnet_b0", "pretrained_cfg": stated}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="--preprocessing FILE"):
        weights.load(path, variant="b0")
    stated["crop_mode"] = "center"
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert weights.load(path, variant="b0").preprocessing == whole_image(64, 127.5, 127.5)


@pytest.mark.parametrize(
    "config",
    [
        "{",
        '{"architecture": "efficientnet_b0", "pretrained_cfg": {"mean": 3}}',
        '{"architecture": "efficientnet_b0", "pretrained_cfg": {}, "model_args": {"act_layer": "relu"}}',
        '{"architecture": "resnet50", "pretrained_cfg": {"input_size": [3, 64, 64], "crop_pct": 1,'
        ' "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}',
    ],
)
def test_a_config_that_makes_no_sense_is_named(config, tmp_path):
    path = write(state_of(small(), "timm"), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(DataError, match=r"config\.json"):
        weights.load(path, variant="b0")


def test_a_published_file_is_known_by_its_content(tmp_path, monkeypatch):
    path = write(state_of(small(classes=1000), "timm"), tmp_path / "renamed.safetensors")
    # The published file's content cannot be had here: its hash is lent to another.
    monkeypatch.setattr("edgeffnet.weights.torch_checkpoint.sha256_of", lambda _: "f262efe1" + 56 * "0")
    loaded = weights.load(path, variant="b0")
    assert loaded.preprocessing == Preprocessing(224, 0.875, "bicubic", (127.5,) * 3, (127.5,) * 3)
    assert (loaded.architecture.padding, loaded.architecture.bn_epsilon) == ("same", 1e-3)
    assert len(loaded.labels) == 1000


@pytest.mark.parametrize("file", ["checkpoint.pth.tar", "pytorch_model.bin", "MODEL.PT"])
def test_a_torch_file_is_one_under_all_its_usual_names(file, torch, tmp_path):
    architecture = small()
    state = {name: torch.from_numpy(value) for name, value in state_of(architecture, "lukemelas").items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / file)
    loaded = weights.load(str(tmp_path / file), variant="b0", preprocessing=whole_image(64))
    expected = lively_tensors(architecture)
    assert all(np.array_equal(loaded.tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("stated", "message"), [({"input_size": [3, 16, 16]}, "at least 32 pixels"), ({"mean": [1e400] * 3}, "mean")]
)
def test_preprocessing_beside_a_file_that_cannot_be_is_refused(stated, message, tmp_path):
    path = write(state_of(small(), "timm"), tmp_path / "model.safetensors")
    usual = {"input_size": [3, 64, 64], "crop_pct": 1.0, "interpolation": "bicubic"}
    config = {
        "architecture": "efficientnet_b0",
        "pretrained_cfg": {**usual, "mean": [0.5] * 3, "std": [0.5] * 3, **stated},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=message):
        weights.load(path, variant="b0")


def test_dataparallels_prefix_is_taken_off(tmp_path):
    state = {f"module.{name}": value for name, value in state_of(small(), "lukemelas").items()}
    loaded = weights.load(write(state, tmp_path / "model.safetensors"), variant="b0", preprocessing=whole_image(64))
    assert loaded.architecture.classes == 10


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.pop("_blocks.3._bn1.running_var"), r"_blocks\.3\._bn1\.running_var .* is missing"),
        (
            lambda s: s.update({"_fc.weight": np.zeros((9, 1280), np.float32)}),
            r"\(1280, 9\), b0 needs \(1280, 10\)",
        ),
        (lambda s: s["_conv_head.weight"].fill(np.nan), r"_conv_head\.weight .* holds NaN"),
        (lambda s: s.update({"_swish.beta": np.ones(1, np.float32)}), r"_swish\.beta"),
        (lambda s: s.clear() or s.update(a=np.ones(1, np.float32)), "names no stem"),
    ],
    ids=["missing", "classes", "nan", "surplus", "another network"],
)
def test_a_tensor_that_does_not_fit_is_named(spoil, message, tmp_path):
    state = OrderedDict(state_of(small(), "lukemelas"))
    spoil(state)
    path = write(dict(state), tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=message) as caught:
        weights.load(path, variant="b0", classes=10, preprocessing=whole_image(64))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 6
