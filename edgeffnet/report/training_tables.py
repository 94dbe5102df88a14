"""A training as tables on a terminal."""

from __future__ import annotations

from rich.markup import escape

from edgeffnet.report.console import open_console, plain_table
from edgeffnet.training.result import Trained

# Classes that are listed one by one.
_LISTED = 20


def show(found: Trained) -> None:
    """Prints the epochs, what the classes came to, and what to know about the figures."""
    console = open_console()
    net, data = found.architecture, found.data
    console.print(
        f"{escape(net.name)} on {escape(data.source)}: {len(data.classes)} classes, {len(data.training):,} images to "
        f"train on, {len(data.validation):,} to validate with ({escape(data.split_by)})"
    )
    console.print(f"{escape(found.origin)}\n")
    table = plain_table()
    for name in ("epoch", "loss", "top-1", "validation loss", "validation top-1", "images/s", "seconds", ""):
        table.add_column(name, justify="right" if name else "left")
    for row in found.rows:
        table.add_row(
            str(row.epoch),
            "" if row.train_loss is None else f"{row.train_loss:.3f}",
            "" if row.train_top1 is None else f"{row.train_top1:.1%}",
            f"{row.val_loss:.3f}",
            f"{row.val_top1:.1%}",
            f"{row.images_per_second:.1f}",
            f"{row.seconds:.1f}",
            "kept" if row is found.best else "",
        )
    console.print(table)
    console.print()
    console.print(_classes(found))
    for note in found.notes:
        console.print(f"- {escape(note)}")
    top1 = found.top1
    console.print(
        f"\nvalidation top-1 {top1.value:.1%} ({top1.low:.1%} to {top1.high:.1%}) -> {escape(str(found.output))} "
        f"in {sum(found.seconds.values()):.0f} s"
    )


def _classes(found: Trained) -> object:
    table = plain_table()
    for name, side in (("class", "left"), ("images", "right"), ("top-1", "right"), ("most often taken for", "left")):
        table.add_column(name, justify="right" if side == "right" else "left")
    worst = sorted(found.per_class, key=lambda one: one.top1)[:_LISTED]
    for one in worst if len(found.per_class) > _LISTED else found.per_class:
        table.add_row(escape(one.label), str(one.images), f"{one.top1:.1%}", escape(one.confused_with or ""))
    return table
