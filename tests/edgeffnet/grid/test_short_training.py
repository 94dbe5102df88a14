"""The evaluator of the command line: short trainings on a folder of images."""

import json

import pytest

from edgeffnet.errors import DataError, UsageError
from edgeffnet.grid.candidates import Network
from edgeffnet.grid.short_training import Short, ShortTraining
from edgeffnet.grid.triples import Triple
from edgeffnet.rules import Coefficients
from tests.edgeffnet.training.conftest import COLOURS, paint

TINY = Network("mobilenet_v1", Coefficients(0.25, 0.5, 32))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "pictures"
    for number, label in enumerate(("red", "blue")):
        for index in range(10):
            paint(root / label / f"{index}.png", COLOURS[label], 100 * number + index)
    return root


@pytest.mark.slow
def test_a_score_says_what_it_rests_on_and_one_network_is_trained_once(pictures, monkeypatch):
    pytest.importorskip("tensorflow", reason="networks are trained in Keras")
    evaluate = ShortTraining(Short(pictures, epochs=1, seeds=2), "mobilenet_v1")
    score = evaluate(TINY.at(Triple(1.2, 1.1, 1.15)))
    assert 0 <= score.value <= 100
    assert (score.seeds, score.spread is None) == (2, False)
    assert score.rests_on == "top-1 % of 4 images after 1 epochs on 16, from random weights"
    monkeypatch.setattr("edgeffnet.training.train.train", lambda *_, **__: pytest.fail("trained again"))
    assert evaluate(TINY.at(Triple(1.25, 1.1, 1.15))) == score


@pytest.mark.slow
def test_the_command_ranks_what_it_trained_and_goes_on_from_its_journal(run, pictures, tmp_path):
    small = ("--arch", "mobilenet_v1", "--width", "0.25", "--depth", "0.5", "--resolution", "32", "--most", "2")
    asked = ("scale", "search", *small, "--data", pictures, "--epochs", "1", "--seeds", "1", "--journal", "j", "--json")
    done = run(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["candidates"]
    assert [one["failure"] for one in found] == [None, None]
    assert found[0]["score"]["value"] >= found[1]["score"]["value"]
    written = (tmp_path / "j").read_text()
    assert json.loads(run(*asked, cwd=tmp_path).stdout)["candidates"] == found
    assert (tmp_path / "j").read_text() == written


@pytest.mark.parametrize("values", [{"epochs": 0}, {"seeds": 0}])
def test_a_training_of_nothing_is_refused(tmp_path, values):
    with pytest.raises(UsageError, match="trains nothing"):
        Short(tmp_path, **values)


def test_weights_that_nobody_has_are_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(UsageError, match="weights of resnet50 cannot be read"):
        ShortTraining(Short(tmp_path, weights="imagenet"), "resnet50")


@pytest.mark.parametrize(
    ("said", "code", "arguments"),
    [
        ("give --data", 2, ("--epochs", "3")),
        ("nowhere", DataError.exit_code, ("--data", "nowhere")),
    ],
)
def test_a_wrong_option_of_training_is_one_line(run, tmp_path, said, code, arguments):
    done = run("scale", "search", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert said in done.stderr
