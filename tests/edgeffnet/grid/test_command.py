"""`edgeffnet scale search`."""

import json

import pytest


def test_it_lists_the_candidates_under_flops(run):
    done = run("scale", "search", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    triples = [(one["alpha"], one["beta"], one["gamma"]) for one in found["candidates"]]
    assert (1.2, 1.1, 1.15) in triples
    assert {one["factor_kind"] for one in found["candidates"]} == {"by the rule"}
    assert found["family"] == "efficientnet"


def test_under_a_devices_latency_its_table_says_that_it_is_estimated(run):
    done = run(
        "scale", "search", "--arch", "lite", "--device", "rpi4", "--tolerance", "2%", "--most", "3", "--step", "0.1"
    )
    assert done.returncode == 0, done.stderr
    assert "int8 TFLite latency on rpi4, 4 threads, estimated" in done.stdout
    assert done.stdout.count(" estimated ") == 3


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("within 0.0% of 2; nearest", ("--tolerance", "0%", "--step", "0.3")),
        ("--tolerance", ("--tolerance", "5")),
        ("--factor", ("--factor", "1")),
        ("--step", ("--step", "0.001")),
        ("--most", ("--most", "0")),
        ("nearest: mobilenet_v2", ("--arch", "mobilenetv2")),
        ("rpi4", ("--device", "rpi44")),
        ("give one of them", ("--device", "rpi4", "--target", "local")),
        ("--threads", ("--threads", "2")),
        ("leaves a layer", ("--width", "0.05")),
        ("at least 32 pixels", ("--resolution", "16")),
        ("nowhere", ("--journal", "nowhere/search.jsonl")),
    ],
)
def test_a_wrong_option_is_one_line(run, tmp_path, said, arguments):
    done = run("scale", "search", *arguments, cwd=tmp_path)
    assert done.returncode == (6 if said == "nowhere" else 2), done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_options_before_the_word_search_are_not_passed_over(run):
    done = run("scale", "--phi", "1", "search")
    assert done.returncode == 2
    assert "--phi stands before `search`" in done.stderr


@pytest.mark.slow
def test_measured_here_it_proposes_networks_that_were_timed_and_goes_on_from_its_journal(run, tmp_path):
    small = ("--arch", "mobilenet_v1", "--width", "0.25", "--resolution", "64", "--tolerance", "20%", "--most", "1")
    asked = ("scale", "search", "--device", "local", "--threads", "1", *small, "--journal", "search.jsonl", "--json")
    done = run(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {one["factor_kind"] for one in found["candidates"]} == {"measured"}
    assert all(1.6 <= one["factor"] <= 2.4 for one in found["candidates"])
    measured = (tmp_path / "search.jsonl").read_text()
    again = run(*asked, cwd=tmp_path)
    assert json.loads(again.stdout) == found
    assert (tmp_path / "search.jsonl").read_text() == measured
