"""`edgeffnet report`: the page of a report that is there already."""

from __future__ import annotations

from pathlib import Path

import click

_path = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=_path)
@click.option("--output", type=_path, default=Path("report.html"), show_default=True, help="HTML file to write.")
def report(folder: Path, output: Path) -> None:
    """Write the page of the report.json in FOLDER, such as one that a board without matplotlib wrote.

    \b
    Examples:
      edgeffnet report out
      edgeffnet report pi/validation --output validation.html
    """
    from edgeffnet.report import html, schema

    html.require_libraries()
    html.write(output, schema.read(folder))
    click.echo(f"-> {output}")


def say_missing_page() -> None:
    """Says on standard error why there is no report.html beside report.json, where there is none."""
    from edgeffnet.report import html

    why = html.missing()
    if why:
        click.echo(f"edgeffnet: {why}", err=True)
