"""Plots as SVG that belongs to a page: the page's colours and font, text as text, the same bytes each time."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edgeffnet.errors import UsageError
from edgeffnet.report.page import Drawing
from edgeffnet.report.wording import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# What matplotlib draws with; the page's style sheet gives each its light and its dark value.
INK, FAINT, RULE, PAPER = "#010101", "#020202", "#030303", "#040404"
BLUE, ORANGE, GREEN, VERMILLION, PURPLE = "#050505", "#060606", "#070707", "#080808", "#090909"
_VARIABLES = {
    INK: "ink",
    FAINT: "faint",
    RULE: "rule",
    PAPER: "paper",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    VERMILLION: "vermillion",
    PURPLE: "purple",
}

WIDE, NARROW = 860, 340
_FONT = 12
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"

# Okabe and Ito's colours (2008), which those who confuse red and green can tell apart; lighter on a dark page.
COLOURS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --faint: #59626d; --rule: #d8dce1;
  --blue: #0072b2; --orange: #b87700; --green: #00805d; --vermillion: #c24f00; --purple: #a8527f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e7e9ec; --faint: #a0a9b4; --rule: #333a43;
    --blue: #56b4e9; --orange: #e69f00; --green: #1fbf92; --vermillion: #f0803c; --purple: #dd94bb;
  }
}
""".strip()

# Draws on the figure, which is for a narrow page where the second argument says so; returns the
# titles, in words, of what has been given a gid.
Draw = Callable[["Figure", bool], Mapping[str, str]]


def drawing(name: str, draw: Draw, heights: tuple[int, int], said: str, caption: str = "") -> Drawing:
    """The plot at both widths; `heights` are those of the wide and of the narrow one, in pixels."""
    wide = svg(f"{name}-wide", draw, (WIDE, heights[0]), said)
    return Drawing(wide, svg(f"{name}-narrow", draw, (NARROW, heights[1]), said, narrow=True), said, caption)


def svg(
    name: str, draw: Draw, size: tuple[int, int], said: str, *, narrow: bool = False, standalone: bool = False
) -> str:
    """The SVG of a plot of `size` pixels; every id in it starts with `name`.

    One that is `standalone` carries the colours and a background, else it takes the page's.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_style(name)), warnings.catch_warnings():
        # Text is measured with a font that lacks some of the world's letters; the reader's has them.
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
        FigureCanvasSVG(figure)
        titles = draw(figure, narrow)
        made = io.StringIO()
        figure.savefig(made, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _adapted(made.getvalue(), name, size, said, titles, standalone)


def available() -> bool:
    """Whether matplotlib is installed; imports nothing."""
    return find_spec("matplotlib") is not None


def require_library(option: str) -> None:
    """UsageError, which names `option`, where matplotlib is not installed."""
    if not available():
        raise UsageError(f"{option} needs matplotlib: pip install 'edgeffnet[build]'")


def plain_axes(axes: Axes, *, grid: str = "both") -> None:
    """Only the axes that carry a scale, and a faint grid along `grid`: "x", "y" or "both"."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, axis="both" if grid == "both" else "x" if grid == "x" else "y")
    axes.set_axisbelow(True)


def logarithmic_ticks(axis: Axis, many: float = 4) -> None:
    """Plain numbers at 1, 2 and 5, or at every digit where the axis spans less than `many` times its start.

    To be called when what is drawn has given the axis its ends.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high > many * low else tuple(range(1, 10))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _style(name: str) -> dict[Any, Any]:
    return {
        **_defaults(),
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "text.parse_math": False,
        "axes.unicode_minus": True,
        "font.size": _FONT,
        "axes.labelsize": _FONT,
        "xtick.labelsize": _FONT - 1,
        "ytick.labelsize": _FONT - 1,
        "legend.fontsize": _FONT - 1,
        "legend.frameon": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT,
        "axes.facecolor": "none",
        "axes.linewidth": 0.8,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "grid.color": RULE,
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.5,
    }


def _defaults() -> dict[Any, Any]:
    """matplotlib's own settings, so that the user's matplotlibrc changes nothing."""
    import matplotlib

    left = {"backend", "interactive", "toolbar", "timezone", "backend_fallback"}
    return {name: value for name, value in matplotlib.rcParamsDefault.items() if name not in left}


def _adapted(
    text: str, name: str, size: tuple[int, int], said: str, titles: Mapping[str, str], standalone: bool
) -> str:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(text)
    for child in [child for child in root if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}defs")]:
        if child.tag.endswith("metadata") or child.find(f"{{{_SVG}}}style") is not None:
            root.remove(child)
    referenced = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    for element in root.iter():
        _adapt(element, name, referenced, titles)
    root.attrib.clear()
    root.attrib.update({"viewBox": f"0 0 {size[0]} {size[1]}", "role": "img"})
    if standalone:
        root.attrib.update({"width": str(size[0]), "height": str(size[1]), "font-family": "sans-serif"})
        style = ElementTree.Element(f"{{{_SVG}}}style")
        style.text = f"{COLOURS}\nsvg {{ background: var(--paper); }}"
        root.insert(0, style)
    title = ElementTree.Element(f"{{{_SVG}}}title")
    title.text = readable(said)
    root.insert(0, title)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _adapt(element: ElementTree.Element, name: str, referenced: set[str], titles: Mapping[str, str]) -> None:
    found = element.attrib.pop("id", None)
    if found in referenced:
        element.set("id", f"{name}-{found}")
    if found is not None and found in titles:
        title = ElementTree.Element(f"{{{_SVG}}}title")
        title.text = readable(titles[found])
        element.insert(0, title)
    for key in ("clip-path", _HREF):
        if key in element.attrib:
            element.set(key, element.attrib[key].replace("#", f"#{name}-"))
    for key in ("style", "fill", "stroke"):
        if key in element.attrib:
            element.set(key, _styled(element.attrib[key]))


def _styled(style: str) -> str:
    """With the page's colours in place of matplotlib's, and its font."""
    style = re.sub(r"#0[1-9]0[1-9]0[1-9]", lambda found: f"var(--{_VARIABLES[found[0]]})", style)
    style = re.sub(r"font: (?:(\S+) )?([\d.]+)px [^;]+", _font, style)
    return re.sub(r"; font-family: [^;]+|font-family: [^;]+; ?", "", style)


def _font(found: re.Match[str]) -> str:
    weight = f"; font-weight: {found[1]}" if found[1] else ""
    return f"font-size: {found[2]}px{weight}"
