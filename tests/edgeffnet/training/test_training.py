"""A small network trained on painted pictures, from the folder to weights that other commands take."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeffnet import weights
from edgeffnet.errors import DataError, TrainingError, UsageError
from edgeffnet.hashing import sha256_of
from edgeffnet.report import schema
from edgeffnet.training import recipe
from edgeffnet.training.result import Trained
from edgeffnet.training.train import Options, train
from edgeffnet.wanted import NetworkOptions, candidates
from edgeffnet.weights import own_file, statement
from tests.conftest import Run
from tests.edgeffnet.training.conftest import COLOURS, paint

# Inherited from Lite0: narrower, a block a stage, and 64 pixels wide.
NETWORK = NetworkOptions(phi=-3.0, depth=0.2, resolution=64)
CLASSES = {"blue": 12, "green": 10, "red": 16}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "pictures"
    for number, (label, count) in enumerate(CLASSES.items()):
        for index in range(count):
            paint(root / label / f"{label}{index}.png", COLOURS[label], 100 * number + index)
    return root


def trained_in(folder: Path, pictures: Path, **options: object) -> Trained:
    asked = Options(epochs=2, batch=8, **options)  # type: ignore[arg-type]
    return train(pictures, folder / "model.keras", networks=NETWORK, options=asked)


@pytest.fixture(scope="module")
def trained(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained_in(tmp_path_factory.mktemp("trained"), pictures)


def folder_of(trained: Trained) -> Path:
    return trained.output.with_suffix(".training")


def test_colours_are_learned_and_every_file_is_there(trained: Trained) -> None:
    assert trained.top1.value >= 0.8
    assert sorted(path.name for path in trained.output.parent.iterdir()) == [
        "model.keras",
        "model.safetensors",
        "model.training",
    ]
    names = sorted(path.name for path in folder_of(trained).iterdir())
    assert names == ["metrics.csv", "report.html", "report.json", "split.csv"]


def test_metrics_hold_a_line_for_each_epoch_and_the_report_is_one(trained: Trained) -> None:
    with (folder_of(trained) / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    report = schema.read(folder_of(trained))
    assert report["kind"] == "train"
    assert report["training"]["data"]["classes"] == ["blue", "green", "red"]
    assert len(report["training"]["epochs"]) == 3
    page = (folder_of(trained) / "report.html").read_text()
    assert "<svg" in page and "epoch; 0 is the classifier" in page


def test_both_files_hold_the_same_weights_and_say_what_they_are(trained: Trained) -> None:
    found = {}
    for path in (trained.output, trained.output.with_suffix(".safetensors")):
        stated = statement.read(path)
        assert stated is not None
        assert stated.labels == ("blue", "green", "red")
        assert (stated.architecture.phi, stated.preprocessing.resolution) == (-3.0, 64)
        found[path.suffix] = own_file.tensors(path, stated)
    first, second = found.values()
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_the_files_name_their_network_to_a_build(trained: Trained) -> None:
    (wanted,) = candidates(NetworkOptions(weights=str(trained.output)), seed=0)
    loaded = wanted.load()
    assert loaded.labels == ("blue", "green", "red")
    assert loaded.preprocessing == trained.preprocessing
    assert loaded.architecture.stages == trained.architecture.stages
    again = weights.load(str(trained.output.with_suffix(".safetensors")), architecture=loaded.architecture)
    assert np.array_equal(again.tensors["stem_conv/kernel"], loaded.tensors["stem_conv/kernel"])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    trained: Trained, pictures: Path, tmp_path: Path
) -> None:
    same = trained_in(tmp_path, pictures)
    for suffix in (".keras", ".safetensors"):
        assert sha256_of(same.output.with_suffix(suffix)) == sha256_of(trained.output.with_suffix(suffix))
    (tmp_path / "other").mkdir()
    other = train(
        folder_of(trained) / "split.csv",
        tmp_path / "other" / "model.safetensors",
        networks=NETWORK,
        options=Options(epochs=1, batch=8, seed=1),
    )
    assert sha256_of(other.output) != sha256_of(trained.output.with_suffix(".safetensors"))
    assert [one.path.name for one in other.data.validation] == [one.path.name for one in trained.data.validation]


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = recipe.transfer
    monkeypatch.setattr(recipe, "transfer", lambda **given: replace(usual(**given), rate=1e30, warm_up_epochs=0.0))
    with pytest.raises(TrainingError, match=r"loss .* is (nan|inf).*epoch 0 .*are kept in .*last-good\.safetensors"):
        trained_in(tmp_path, pictures)
    kept = statement.read(tmp_path / "model.training" / "last-good.safetensors")
    assert kept is not None and kept.labels == ("blue", "green", "red")
    assert (tmp_path / "model.training" / "checkpoint.safetensors").is_file()
    assert not (tmp_path / "model.keras").exists()


def test_weights_that_are_there_are_replaced_by_force_only(trained: Trained, pictures: Path) -> None:
    before = sha256_of(trained.output)
    with pytest.raises(UsageError, match="--force"):
        train(pictures, trained.output, networks=NETWORK)
    assert sha256_of(trained.output) == before


def test_a_checkpoint_of_another_training_is_not_gone_on_with(pictures: Path, tmp_path: Path) -> None:
    from edgeffnet.training import checkpoint
    from edgeffnet.training.checkpoint import State

    folder = tmp_path / "model.training"
    folder.mkdir()
    checkpoint.save(folder, State("other", 1, 0.5, 3.0, 0, 1.0, (), {"a": np.zeros(1)}, {}))
    with pytest.raises(UsageError, match="checkpoint of another training"):
        trained_in(tmp_path, pictures)
    (folder / "checkpoint.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    with pytest.raises(DataError, match="not a checkpoint"):
        trained_in(tmp_path, pictures)


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("nothing says which network", ()),
        ("--variant and --phi", ("--variant", "lite0", "--phi", "1")),
        ("nearest", ("--variant", "lite9")),
        ("not a time", ("--variant", "lite0", "--time", "soon")),
        ("transfer, paper", ("--variant", "lite0", "--recipe", "secret")),
        (".keras or .safetensors", ("--variant", "lite0", "--output", "model.h5")),
        ("--val-share", ("--variant", "lite0", "--val-share", "1.5")),
        ("--mix", ("--variant", "lite0", "--mix", "-1")),
    ],
)
def test_a_wrong_option_exits_2_and_leaves_nothing(
    run: Run, pictures: Path, tmp_path: Path, said: str, arguments: tuple[str, ...]
) -> None:
    done = run("train", "--data", pictures, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_bad_data_exits_6_in_one_line(run: Run, pictures: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(pictures, tmp_path / "copy")
    (copy / "violet").mkdir()
    done = run("train", "--data", copy, "--variant", "lite0", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (6, "")
    assert "the class 'violet' is empty" in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_build_without_data_takes_no_option_of_training(run: Run, tmp_path: Path) -> None:
    done = run("build", "--variant", "lite0", "--epochs", "3", cwd=tmp_path)
    assert (done.returncode, "give --data too" in done.stderr) == (2, True)


def test_a_dry_run_tells_at_which_phi_would_be_trained(run: Run, pictures: Path, tmp_path: Path) -> None:
    plan = ("build", "--data", pictures, "--device", "rpi4", "--max-latency", "15ms", "--dry-run", "--json")
    done = run(*plan, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    chosen = json.loads(done.stdout)["chosen"]
    assert chosen["phi"] < 0
    assert chosen["latency"]["high_ms"] <= 15


@pytest.mark.slow
def test_the_papers_recipe_trains_from_nothing_with_mixed_and_dropped_parts(pictures: Path, tmp_path: Path) -> None:
    found = train(
        pictures,
        tmp_path / "model.keras",
        networks=replace(NETWORK, weights="random"),
        options=Options(recipe="paper", epochs=2, batch=8, mix=0.2, drop_connect=0.3),
    )
    assert found.recipe.augmentation == "autoaugment"
    assert found.origin == "trained by edgeffnet from random weights, untrained"
    assert all(np.isfinite(row.val_loss) for row in found.rows)
    stated = statement.read(found.output)
    assert stated is not None
    tensors = own_file.tensors(found.output, stated)
    start = candidates(replace(NETWORK, weights="random", classes=3), seed=0)[0].load().tensors
    assert found.best.epoch == 0 or not np.array_equal(tensors["top_conv/kernel"], start["top_conv/kernel"])


@pytest.mark.slow
def test_a_teacher_changes_what_is_learned(trained: Trained, pictures: Path, tmp_path: Path) -> None:
    taught = trained_in(tmp_path, pictures, distill=True)
    assert taught.top1.value >= 0.8
    assert taught.rows[1].train_loss != trained.rows[1].train_loss


@pytest.mark.slow
def test_training_begins_from_weights_of_ones_own_and_says_which_classes_are_others(
    trained: Trained, pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "more")
    for index in range(8):
        paint(tmp_path / "more" / "yellow" / f"{index}.png", COLOURS["yellow"], 900 + index)
    shutil.rmtree(tmp_path / "more" / "green")
    begin = NetworkOptions(weights=str(trained.output))
    found = train(tmp_path / "more", tmp_path / "next.keras", networks=begin, options=Options(epochs=0))
    assert found.architecture.stages == trained.architecture.stages
    assert found.data.classes == ("blue", "red", "yellow")
    assert any("not in the data: green; new: yellow" in note for note in found.notes)
