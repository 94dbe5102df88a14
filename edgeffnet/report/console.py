"""Where tables are printed, and how they look."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def open_console(width: int = 160) -> Console:
    """The terminal, or plain text `width` characters wide where there is none."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=width)


def plain_table(title: str = "") -> Table:
    """A table without lines."""
    return Table(title=title or None, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
