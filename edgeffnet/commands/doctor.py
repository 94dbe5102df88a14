"""`edgeffnet doctor`: what this machine has, what is missing, and the line that adds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgeffnet.doctor.examination import Examination, Finding


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
def doctor(as_json: bool) -> None:
    """Say what is installed here, what is missing, and what that would enable.

    Every package is imported, in a process of its own. The exit code is 0 where `edgeffnet build` can run, and 2
    where something is missing for it.

    \b
    Examples:
      edgeffnet doctor
      edgeffnet doctor --json
    """
    from edgeffnet.doctor.examination import examine
    from edgeffnet.errors import UsageError
    from edgeffnet.report.progress import Steps

    steps = Steps()
    with steps("Importing"):
        found = examine(steps.advance)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        _show(found)
    if found.missing:
        lines = dict.fromkeys(str(one.install) for one in found.missing)
        lacking = ", ".join(one.name for one in found.missing)
        raise UsageError(f"build cannot run here, it lacks {lacking}: {'; '.join(lines)}")


def _show(found: Examination) -> None:
    import edgeffnet
    from edgeffnet.report.console import open_console, plain_table

    machine, console = found.machine, open_console()
    lines = {
        "edgeffnet": edgeffnet.__version__,
        "python": f"{machine['python']} at {machine['executable']}",
        "processor": f"{machine['cpu']} ({machine['architecture']}), {machine['cores']} cores",
        "int8": f"{machine['int8']}: {machine['int8_said']}",
        "memory": f"{machine['memory_bytes'] / 1e9:.1f} GB",
        "disk": f"{machine['free_bytes'] / 1e9:.1f} GB free here",
    }
    for name, value in lines.items():
        console.print(f"{name:17} {value}", markup=False)
    table = plain_table()
    for heading in ("part", "found", "enables", "to install it"):
        table.add_column(heading)
    for one in (*found.packages, *found.programs):
        table.add_row(one.name, _said(one), one.enables, one.install or "")
    console.print()
    console.print(table, markup=False)
    for warning in found.warnings:
        console.print(f"- {warning}", markup=False)
    if not found.missing:
        console.print("\nPASS  edgeffnet build can run here", markup=False)


def _said(one: Finding) -> str:
    if one.reason is None:
        return str(one.found)
    return one.reason if one.needed else f"{one.reason} (optional)"
