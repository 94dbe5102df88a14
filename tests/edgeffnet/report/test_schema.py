"""The schemas that ship, and what they refuse."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edgeffnet.errors import DataError
from edgeffnet.report import schema
from edgeffnet.report.document import KINDS, document, to_json
from tests.conftest import Run
from tests.edgeffnet.report.samples import audit

Report = dict[str, Any]


def spoiled(change: Callable[[Report], object]) -> Report:
    report = copy.deepcopy(audit())
    change(report)
    return report


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_and_is_of_its_kind(kind: str) -> None:
    found = schema.schema(kind)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["properties"]["kind"] == {"const": kind}


def test_a_complete_audit_passes() -> None:
    schema.check(audit())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda report: report["accuracy"]["drop"].pop("low"), "accuracy.drop: 'low'"),
        (lambda report: report["images"].update(count="many"), "images.count: 'many'"),
        (lambda report: report["images"].update(sha256="abc"), "images.sha256"),
        (lambda report: report["per_class"][7].update(p=1.5), "per_class[7].p: 1.5"),
        (lambda report: report["worst_images"][0].update(thumbnail="http://x/y.jpg"), "worst_images[0].thumbnail"),
        (lambda report: report["findings"][0].update(severity="bad"), "findings[0].severity: 'bad'"),
        (lambda report: report.pop("target"), "report: 'target'"),
        (lambda report: report["machine"].pop("cpu"), "machine: 'cpu'"),
    ],
)
def test_a_field_that_is_wrong_is_named(change: Callable[[Report], object], named: str) -> None:
    with pytest.raises(DataError) as caught:
        schema.check(spoiled(change))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("version", "said"), [("3", "upgrade"), ("2.1", "upgrade"), ("1", "older"), (2, "not a report"), (None, "not a")]
)
def test_a_report_of_another_version_is_refused(version: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        schema.check({**audit(), "schema_version": version})


@pytest.mark.parametrize("report", [[], "report", {}, {"schema_version": "2", "kind": "party"}])
def test_what_is_no_report_is_refused(report: object) -> None:
    with pytest.raises(DataError):
        schema.check(report)


def test_figures_that_are_no_numbers_become_null() -> None:
    made = document("validate", {"a": float("inf"), "b": [float("nan"), 1.5], "c": {"d": -float("inf")}})
    assert (made["a"], made["b"], made["c"]) == (None, [None, 1.5], {"d": None})
    assert json.loads(to_json(made)) == made


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no report.json"), ("{", "not a report"), (json.dumps({"schema_version": "9"}), "upgrade")],
)
def test_a_folder_without_a_report_that_can_be_read_is_one_line(
    run: Run, tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    done = run("report", tmp_path, "--output", tmp_path / "report.html")
    assert done.returncode == 6
    assert said in done.stderr and str(tmp_path) in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "report.html").exists()
