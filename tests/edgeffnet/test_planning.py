"""Planning without a board: the dry run and the reasons behind its estimates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Run


def test_a_dry_run_chooses_and_makes_nothing(run: Run, tmp_path: Path) -> None:
    done = run("build", "--device", "rpi4", "--max-latency", "50ms", "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    found = plan["candidates"]
    assert (plan["chosen"]["name"], plan["bound_by"]) == ("lite2", "nothing: there is no larger candidate")
    assert (plan["device"], plan["threads"], plan["budget"]["latency_ms"]) == ("rpi4", 4, 50)
    assert [candidate["name"] for candidate in found] == ["lite2", "lite1", "lite0"]
    assert [candidate["verdict"] for candidate in found] == ["chosen", "fits", "fits"]
    assert all(candidate["latency"]["kind"] == "estimated" for candidate in found)
    assert list(tmp_path.iterdir()) == []


def test_a_tighter_budget_chooses_a_smaller_network_and_tells_which_may_fit(run: Run) -> None:
    done = run("build", "--device", "rpi4", "--max-latency", "30ms", "--dry-run", "--json")
    plan = json.loads(done.stdout)
    verdicts = {candidate["name"]: candidate["verdict"] for candidate in plan["candidates"]}
    assert plan["bound_by"].startswith("latency (lite1: ")
    assert plan["may_fit"].startswith("lite1 may fit as well: ")
    assert verdicts == {"lite2": "too slow", "lite1": "may fit", "lite0": "chosen"}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_every_output_of_a_dry_run_says_estimated(run: Run, form: tuple[str, ...]) -> None:
    done = run("build", "--device", "pixel4", "--max-latency", "20ms", "--dry-run", *form)
    assert done.returncode == 0
    assert done.stdout.count("estimated") >= 3


def test_a_dry_run_on_this_machine_and_a_device_without_rows_are_told_apart(run: Run) -> None:
    here = run("build", "--device", "local", "--max-latency", "5ms", "--dry-run")
    assert (here.returncode, "measured" in here.stderr) == (2, True)
    nothing = run("build", "--device", "jetson-nano", "--max-latency", "50ms", "--dry-run")
    assert nothing.returncode == 3
    assert "without a latency figure" in nothing.stderr


def test_explain_shows_rows_sources_and_the_error_on_models_left_out(run: Run) -> None:
    done = run("devices", "rpi4", "--explain")
    assert done.returncode == 0, done.stderr
    for said in ("pointwise", "published ms", "model left out", "efficientdet-lite4", "github"):
        assert said in done.stdout
    data = json.loads(run("devices", "pixel4", "--explain", "--precision", "fp32", "--json").stdout)
    assert {row["row"]["precision"] for row in data["rows"]} == {"fp32"}
    assert run("devices", "cortex-m7", "--explain").returncode == 2


def test_risk_moves_the_upper_end_that_must_fit(run: Run) -> None:
    def chosen(*risk: str) -> tuple[str, float]:
        done = run("build", "--device", "rpi4", "--max-latency", "46ms", "--dry-run", "--json", *risk)
        found = json.loads(done.stdout)["chosen"]
        return found["name"], found["latency"]["high_ms"]

    assert chosen() == chosen("--risk", "5%")
    assert chosen()[0] == "lite1"
    assert chosen("--risk", "25%")[0] == "lite2"
    assert chosen("--risk", "1%")[1] > chosen()[1]


@pytest.mark.parametrize(("risk", "said"), [("60%", "not between"), ("5", "5%"), ("0%", "not between")])
def test_a_risk_that_is_none_is_told(run: Run, risk: str, said: str) -> None:
    done = run("build", "--device", "rpi4", "--max-latency", "46ms", "--dry-run", "--risk", risk)
    assert (done.returncode, said in done.stderr) == (2, True)


def test_a_budget_between_estimate_and_certainty_has_both_answers_explained(run: Run) -> None:
    done = run("build", "--device", "rpi4", "--max-latency", "40ms", "--dry-run")
    said = " ".join(done.stdout.split())
    assert "lite2 may fit as well" in said and "with a chance of" in said
    assert "lite1 was chosen because it is with one of at least 95%" in said
    assert "--target" in said and "--risk" in said


def test_any_phi_fills_the_budget_better_than_the_variants_and_says_it_is_latency_only(run: Run) -> None:
    command = ("build", "--device", "rpi4", "--max-latency", "40ms", "--dry-run")
    variants = json.loads(run(*command, "--json").stdout)
    any_phi = json.loads(run(*command, "--phi", "any", "--json").stdout)
    macs = [candidate["macs"] for candidate in any_phi["candidates"]]
    assert macs == sorted(macs, reverse=True) and len(set(macs)) > 100
    assert any_phi["chosen"]["macs"] > variants["chosen"]["macs"]
    assert any_phi["chosen"]["latency"]["high_ms"] <= 40
    fitting = [found["macs"] for found in any_phi["candidates"] if found["verdict"] in ("fits", "chosen")]
    assert any_phi["chosen"]["macs"] == max(fitting)
    shown = run(*command, "--phi", "any").stdout
    assert "latency only" in shown and "further off are not shown" in shown
    refused = run("build", "--device", "rpi4", "--max-latency", "40ms", "--phi", "any")
    assert (refused.returncode, "--weights random" in refused.stderr) == (2, True)
