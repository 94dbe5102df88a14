"""A report as one page: no network, no script, as readable printed as on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any

from edgeffnet.errors import UsageError
from edgeffnet.report.page import Page
from edgeffnet.report.plots.canvas import COLOURS
from edgeffnet.report.sections import (
    accuracy,
    calibration,
    classes,
    findings,
    frontier,
    gates,
    latency,
    layers,
    method,
    runtimes,
    training,
    worst_images,
)
from edgeffnet.report.sections.verdict import verdict
from edgeffnet.report.wording import readable

PAGE = "report.html"
# In the order in which they are read.
_SECTIONS = (
    gates.section,
    frontier.section,
    training.section,
    latency.section,
    accuracy.section,
    layers.section,
    classes.section,
    worst_images.section,
    calibration.section,
    runtimes.section,
    findings.section,
    method.section,
)
_OF_TRAINING = (training.section, method.section)
_LIBRARIES = {"matplotlib": "matplotlib", "jinja2": "Jinja2"}


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Writes the page of `report`, of any kind, to `path`: under 3 MB, the same bytes for the same report.

    Raises UsageError where matplotlib or Jinja2 is not installed, or `path` cannot be written.
    """
    require_libraries()
    text = render(report)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def require_libraries() -> None:
    """UsageError where `missing` has something to say."""
    why = missing()
    if why:
        raise UsageError(why)


def missing() -> str | None:
    """Why no page can be written here; None where one can. Imports nothing."""
    lacking = [name for module, name in _LIBRARIES.items() if find_spec(module) is None]
    if not lacking:
        return None
    return f"{PAGE} needs {' and '.join(lacking)}: pip install 'edgeffnet[build]', then edgeffnet report FOLDER"


def render(report: Mapping[str, Any]) -> str:
    """The page's HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edgeffnet.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = _page(_readable(report))
    return environment.get_template("report.html.j2").render(page=page, colours=COLOURS)


def _page(report: Mapping[str, Any]) -> Page:
    sections = _OF_TRAINING if report["kind"] == "train" else _SECTIONS
    found = [section(report) for section in sections]
    versions = report.get("tools") or {}
    by = f"edgeffnet {versions['edgeffnet']}" if "edgeffnet" in versions else "edgeffnet"
    return Page(
        title=_title(report),
        about=f"{by} {report['kind']}",
        verdict=verdict(report),
        sections=tuple(section for section in found if section is not None),
        foot=f"Every figure here, and more, is in report.json (schema {report['schema_version']}).",
    )


def _title(report: Mapping[str, Any]) -> str:
    if report["kind"] == "build":
        return f"{report['chosen']['name']} for {report['device']}"
    if report["kind"] == "quantize":
        return f"{report['model']['file']} in int8"
    if report["kind"] == "train":
        network = report["training"]["network"]
        return f"{network['name']} on {PurePath(report['training']['data']['source']).name}"
    if report["kind"] == "audit":
        int8, reference = (PurePath(report["models"][name]["file"]).name for name in ("int8", "reference"))
        return f"{int8} against {reference}"
    measured = report["models"]
    what = measured[0]["path"] if len(measured) == 1 else f"{len(measured)} models"
    return f"{what} on {'this machine' if report['target'] == 'local' else report['target']}"


def _readable(value: Any) -> Any:
    """`value` without characters that neither HTML nor XML may hold: names of files are whatever someone made them."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value
