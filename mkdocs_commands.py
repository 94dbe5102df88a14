"""Makes the page of each command from the command itself as the site is built: `::: build` becomes its help."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from edgeffnet.cli import main

_WIDTH = 100


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with each page."""
    return re.sub(r"^::: (\S+)$", lambda found: described(found[1]), markdown, flags=re.MULTILINE)


def described(name: str) -> str:
    """Markdown of a command, and of its own commands below it."""
    context = click.Context(main, info_name="edgeffnet")
    return "\n".join(_command(main.commands[name], name, context, "#"))


def _command(command: click.Command, name: str, parent: click.Context, level: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH)
    yield f"{level} {context.command_path}\n"
    for block in inspect.cleandoc(command.help or "").split("\n\n"):
        yield from _block(block)
    yield f"```text\n{command.get_usage(context)}\n\n{_options(command, context)}\n```\n"
    for inner, held in sorted(command.commands.items()) if isinstance(command, click.Group) else ():
        yield from _command(held, inner, context, f"{level}#")


def _block(block: str) -> Iterator[str]:
    """A paragraph, or the examples behind click's mark that keeps their lines."""
    if not block.startswith("\b"):
        yield f"{block}\n"
        return
    lines = textwrap.dedent("\n".join(block.splitlines()[2:])).splitlines()
    yield "\n".join(["```console", *(f"$ {line}" for line in lines), "```", ""])


def _options(command: click.Command, context: click.Context) -> str:
    formatter = context.make_formatter()
    command.format_options(context, formatter)
    return formatter.getvalue().rstrip()
