"""How a network was trained: its data, its epochs, and what each class came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeffnet.report.page import Fact, Facts, Part, Section, Table
from edgeffnet.report.plots import training as plot
from edgeffnet.report.sections.models import Report
from edgeffnet.report.wording import first_upper, number, percent, plural, share_interval

_LISTED = 20


def section(report: Report) -> Section | None:
    """None where nothing was trained."""
    found = report.get("training")
    if not found:
        return None
    parts: list[Part] = [Facts(_facts(found)), plot.drawing(found["epochs"], found["best_epoch"])]
    return Section("training", "Training", (*parts, _classes(found), _epochs(found)))


def _facts(found: Mapping[str, Any]) -> tuple[Fact, ...]:
    data, recipe, asked = found["data"], found["recipe"], found["options"]
    facts = [
        Fact("Top-1", percent(found["top1"]["value"], 1), f"{share_interval(found['top1'])}, validation images"),
        Fact(
            "Images",
            f"{data['training_images']:,} and {data['validation_images']:,}",
            f"to train on and to validate with, {plural(len(data['classes']), 'class', 'classes')}; {data['split_by']}",
        ),
        Fact("Weights", first_upper(found["origin"])),
        Fact("Recipe", recipe["name"], f"{recipe['optimizer']}, batch {recipe['batch']}, seed {asked['seed']}"),
        Fact("Epochs", f"{len(found['epochs']) - 1}", f"epoch {found['best_epoch']} was kept"),
    ]
    if data["shared"]:
        facts.append(Fact("In both parts", plural(data["shared"], "picture"), "allowed: accuracy is flattered"))
    if data["unreadable"]:
        listed = "; ".join(f"{one['file']}: {one['reason']}" for one in data["unreadable"][:_LISTED])
        facts.append(Fact("Unreadable", plural(len(data["unreadable"]), "image"), listed))
    return tuple(facts)


def _classes(found: Mapping[str, Any]) -> Table:
    ordered = sorted(found["per_class"], key=lambda one: one["top1"])
    rows = tuple(
        (one["label"], f"{one['images']:,}", percent(one["top1"], 1), one["confused_with"] or "")
        for one in ordered[:_LISTED]
    )
    caption = f"The worst {len(rows)} of {len(ordered)} classes." if len(rows) < len(ordered) else ""
    return Table(("class", "images", "top-1", "most often taken for"), rows, frozenset({1, 2}), caption)


def _epochs(found: Mapping[str, Any]) -> Table:
    epochs = found["epochs"]
    rows = tuple(
        (
            str(row["epoch"]),
            number(row["train_loss"], 3),
            percent(row["train_top1"], 1),
            number(row["val_loss"], 3),
            percent(row["val_top1"], 1),
            number(row["images_per_second"], 1),
            number(row["seconds"], 1),
        )
        for row in epochs[-_LISTED:]
    )
    caption = f"The last {len(rows)} of {len(epochs)} epochs; metrics.csv holds all." if len(rows) < len(epochs) else ""
    headings = ("epoch", "loss", "top-1", "validation loss", "validation top-1", "images/s", "seconds")
    return Table(headings, rows, frozenset(range(7)), caption, title="Epochs")
