"""The page of a report in a browser: it says nothing to the console, asks nobody for anything, and fits its window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeffnet.report import html
from tests.conftest import Run
from tests.edgeffnet.report.samples import audit
from tests.edgeffnet.report.test_html import AUDIT_SECTIONS
from tests.integration.browser import Browser, chromium

BUILD_SECTIONS = ["verdict", "frontier", "latency", "accuracy", "calibration", "method"]
VALIDATE_SECTIONS = ["verdict", "latency", "accuracy", "method"]

SECTIONS_SEEN = """[...document.querySelectorAll('main > section')]
    .filter(one => one.querySelector('h2').getBoundingClientRect().height > 0).map(one => one.id)"""
PLOTS_SEEN = """[...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect())
    .filter(one => one.height > 0).map(one => [one.left, one.right])"""
CUT = """[...document.querySelectorAll('main *')].filter(one => !one.closest('.scroll, svg')
    && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80))"""
COLOURS = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('svg text')).fill]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module", params=["audit", "build", "validate"])
def page(request: pytest.FixtureRequest, run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A page of each kind and the sections it has: the audit's holds every part and names of ill will."""
    folder = tmp_path_factory.mktemp("page")
    if request.param == "audit":
        html.write(folder / "report.html", audit())
        return folder / "report.html", AUDIT_SECTIONS
    bundle: Path = request.getfixturevalue("bundle")
    if request.param == "build":
        return bundle / "report.html", BUILD_SECTIONS
    done = run("validate", bundle / "model_int8.tflite", "--sustained", "2s", "--output", folder, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "report.html", VALIDATE_SECTIONS


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_is_quiet_whole_and_fits(browser: Browser, page: tuple[Path, list[str]], width: int, dark: bool) -> None:
    path, sections = page
    opened = browser.open(path, width=width, dark=dark)
    assert opened.console == []
    assert [url for url in opened.requests if not url.startswith("data:image/")] == [path.resolve().as_uri()]
    assert browser.evaluate(SECTIONS_SEEN) == sections
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(CUT) == []
    plots = browser.evaluate(PLOTS_SEEN)
    assert plots and all(left >= 0 and right <= width for left, right in plots)


def test_dark_and_light_differ_in_page_and_plots(browser: Browser, page: tuple[Path, list[str]]) -> None:
    seen = []
    for dark in (False, True):
        browser.open(page[0], dark=dark)
        seen.append(browser.evaluate(COLOURS))
    (light, ink), (dark_page, dark_ink) = seen
    assert light == "rgb(255, 255, 255)" != dark_page
    assert ink != dark_ink


def test_every_plot_is_shown_once_at_any_width(browser: Browser, page: tuple[Path, list[str]]) -> None:
    browser.open(page[0])
    drawn = browser.evaluate("document.querySelectorAll('svg').length")
    for width in (390, 700, 1280):
        browser.resize(width)
        assert len(browser.evaluate(PLOTS_SEEN)) == drawn / 2


def test_a_page_without_scripts_reads_the_same(browser: Browser, page: tuple[Path, list[str]]) -> None:
    browser.open(page[0])
    told = browser.evaluate("document.body.innerText")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page[0])
        assert browser.evaluate("document.body.innerText") == told
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_page_prints_on_light_paper_with_all_its_tables(
    browser: Browser, page: tuple[Path, list[str]], tmp_path: Path
) -> None:
    browser.open(page[0], dark=True)
    browser.print(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    browser.resize(680)
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    wide = "[...document.querySelectorAll('table')].filter(one => one.getBoundingClientRect().right > innerWidth)"
    assert browser.evaluate(f"{wide}.map(one => one.innerText.slice(0, 60))") == []


def test_a_bundle_lists_its_page(bundle: Path) -> None:
    assert "report.html" in json.loads((bundle / "manifest.json").read_text())["files"]
