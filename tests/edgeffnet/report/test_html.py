"""The page of a report: what it shows, what it withstands, and that it needs nothing from outside."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgeffnet.report import files, html, schema
from edgeffnet.report.document import to_json
from tests.conftest import ROOT, Run
from tests.edgeffnet.report.samples import HOSTILE, audit

AUDIT_SECTIONS = [
    *("verdict", "gates", "accuracy", "layers", "classes", "worst-images", "calibration", "runtimes", "findings"),
    "method",
]


class Page(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def ids(self, tag: str) -> list[str]:
        return [attributes["id"] or "" for name, attributes in self.elements if name == tag and "id" in attributes]


@pytest.fixture(scope="module")
def text() -> str:
    return html.render(audit())


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_verdict_comes_first_and_every_section_follows(page: Page) -> None:
    assert page.ids("section") == AUDIT_SECTIONS
    assert page.text.index("Fail") < page.text.index("misses at most 0.50 points") < page.text.index("Gates")


def test_names_of_ill_will_are_shown_and_do_nothing(text: str, page: Page) -> None:
    readable = HOSTILE.replace("\x1b", "\ufffd").replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert page.text.count(readable) >= 8
    assert "script" not in {tag for tag, _ in page.elements}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert text.encode("utf-8")


def test_nothing_is_fetched(text: str, page: Page) -> None:
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/jpeg;base64,"))
    assert not re.search(r"@import|url\((?!['\"]?#)", text)
    assert {"link", "iframe", "object", "embed", "base", "form"}.isdisjoint(tag for tag, _ in page.elements)


def test_a_picture_that_is_an_address_is_not_shown() -> None:
    report = audit()
    report["worst_images"][1]["thumbnail"] = "http://127.0.0.1/cat.jpg"
    shown = html.render(report)
    assert "127.0.0.1" not in shown
    assert "1 picture is left out" in shown


def test_no_two_elements_share_an_id(page: Page) -> None:
    counted = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert counted and set(counted.values()) == {1}


def test_plots_hold_text_with_units_and_the_pages_colours(text: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(plots) == 10, "five plots, each for two widths"
    words = {found for plot in plots for found in re.findall(r"<text[^>]*>([^<]*)</text>", plot)}
    assert {"top-1, percent", "drop of top-1, points (paired)", "signal-to-noise, dB (less is worse)"} <= words
    assert not [plot for plot in plots if re.search(r"#[0-9a-f]{6}", plot)]
    assert "prefers-color-scheme: dark" in text


def test_the_same_report_gives_the_same_bytes_in_another_process(text: str, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from edgeffnet.report import html; "
        "from tests.edgeffnet.report.samples import audit; html.write(Path(sys.argv[1]), audit())"
    )
    other = tmp_path / "other.html"
    subprocess.run(
        [sys.executable, "-c", program, other],
        check=True,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(tmp_path), "TZ": "Asia/Tokyo"},
    )
    assert other.read_bytes() == text.encode("utf-8")


def test_the_page_stays_below_three_million_bytes() -> None:
    report = audit()
    row = report["worst_images"][0]
    large = "data:image/jpeg;base64," + "A" * 90_000
    report["worst_images"] = [{**row, "thumbnail": large} for _ in range(100)]
    report["per_class"] = report["per_class"] * 50
    report["layers"] = report["layers"] * 10
    made = html.render(report)
    assert len(made.encode("utf-8")) < 3_000_000
    assert "pictures are left out" in made


def test_what_is_not_known_says_why() -> None:
    report = audit()
    report["images"]["labelled"] = False
    accuracy = report["accuracy"]
    for name in ("reference", "int8", "drop", "relative", "flips", "calibration_error"):
        accuracy[name] = None
    report.update(per_class=[], layers=[], layers_unmatched="the formats differ", worst_images=[], calibration=None)
    report.update(runtimes=[], findings=[])
    report["verdict"] = {"passed": None, "said": "no gate was set", "gates": []}
    schema.check(report)
    page = Page(html.render(report))
    assert [name for name in AUDIT_SECTIONS if name not in page.ids("section")] == ["gates"]
    for reason in (
        "The images have no labels",
        "Not measured: the formats differ.",
        "Not known: the images have no labels.",
        "no calibration images were given",
        "Nothing faulty was noticed.",
    ):
        assert reason in page.text


def test_a_verdict_that_cannot_be_told_is_called_so() -> None:
    report = audit()
    report["verdict"].update(passed=None, said="cannot tell with 1,300 images: about 21,000 are needed")
    page = html.render(report)
    assert 'class="verdict unknown"' in page
    assert "Cannot tell" in page


def test_without_its_libraries_the_json_is_written_and_the_page_is_named(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = sys.modules['jinja2'] = None\n"
        "from pathlib import Path; from edgeffnet.report import files, html\n"
        "from tests.edgeffnet.report.samples import audit\n"
        "files.write(Path(sys.argv[1]), audit()); print(html.missing())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert schema.read(tmp_path) == audit()
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert "matplotlib and Jinja2: pip install" in done.stdout


def test_a_plot_without_matplotlib_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    program = "import sys; sys.modules['matplotlib'] = None\nfrom edgeffnet.cli import main; main(sys.argv[1:])"
    words = ("build", "--device", "rpi4", "--max-latency", "40ms", "--dry-run", "--plot", tmp_path / "plot.svg")
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--plot needs matplotlib" in done.stderr


def test_the_command_writes_the_page_of_a_report_that_is_there(run: Run, tmp_path: Path) -> None:
    files.write(tmp_path, audit())
    (tmp_path / "report.html").unlink()
    done = run("report", tmp_path, "--output", tmp_path / "audit.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "audit.html").read_text() == html.render(schema.read(tmp_path))


def test_a_page_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(to_json(audit()), encoding="utf-8")
    done = run("report", tmp_path, "--output", tmp_path / "no" / "page.html")
    assert done.returncode == 2
    assert "page.html" in done.stderr and done.stderr.count("\n") == 1
