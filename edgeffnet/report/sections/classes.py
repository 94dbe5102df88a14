"""What int8 costs each class."""

from __future__ import annotations

from edgeffnet.report.page import Part, Section, Table, Text
from edgeffnet.report.plots import classes as plot
from edgeffnet.report.plots.classes import SIGNIFICANT
from edgeffnet.report.sections.models import Report
from edgeffnet.report.wording import percent, plural, probability, signed

_LISTED = 20


def section(report: Report) -> Section | None:
    """None for what is no audit."""
    if report["kind"] != "audit":
        return None
    known = [row for row in report["per_class"] if row["drop"] is not None]
    if not known:
        why = "no class has an image" if report["images"]["labelled"] else "the images have no labels"
        return Section("classes", "Drop of each class", (Text((f"Not known: {why}.",)),))
    changed = sum(row["drop"] != 0 for row in known)
    ordered = sorted(known, key=lambda row: (-row["drop"], row["p_adjusted"] or 0, row["index"]))
    clear = sum(row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT for row in ordered)
    shown = ordered if len(ordered) <= _LISTED else [row for row in ordered[:_LISTED] if row["drop"] > 0]
    rows = tuple(
        (
            row["label"],
            str(row["index"]),
            f"{row['images']:,}",
            percent(row["reference"], 1),
            percent(row["int8"], 1),
            signed(row["drop"], 1),
            probability(row["p"]),
            probability(row["p_adjusted"]),
        )
        for row in shown
    )
    headings = ("class", "index", "images", "reference", "int8", "drop, points", "p", "p adjusted")
    more = f"The largest drops, {len(shown)} of {len(ordered)} classes; report.json holds all. "
    caption = f"{more if len(shown) < len(ordered) else ''}p: McNemar's exact test, adjusted by Holm's method."
    marked = frozenset(
        index for index, row in enumerate(shown) if row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT
    )
    said = (
        f"Top-1 changed in {changed} of {plural(len(ordered), 'class', 'classes')}, in {clear} of them by more than "
        f"chance explains (p < {SIGNIFICANT:g} after correction for all classes)."
    )
    parts: list[Part] = [Text((said,))]
    if changed:
        parts.append(plot.drawing(ordered))
    if rows:
        parts.append(Table(headings, rows, frozenset(range(1, 8)), caption, marked))
    return Section("classes", "Drop of each class", tuple(parts))
