"""`edgeffnet sweep`: many variants, devices and sets of images at once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeffnet.commands.interrupts import when_interrupted
from edgeffnet.errors import AccuracyError, DataError, EdgeffnetError

if TYPE_CHECKING:
    from edgeffnet.sweep.sweep import Sweep

_path = click.Path(path_type=Path)


@click.command()
@click.argument("plan", type=_path)
@click.option("--output", type=_path, default=Path("sweep"), show_default=True, help="Folder to write.")
@click.option("--jobs", type=click.IntRange(1), help="Commands at once; one for each core, where memory holds them.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask cluster to run on, such as tcp://host:8786.")
@click.option("--dry-run", is_flag=True, help="Only list the commands.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
def sweep(plan: Path, output: Path, jobs: int | None, scheduler: str | None, dry_run: bool, as_json: bool) -> None:
    """Build, measure and audit every variant on every device with every set of images that PLAN names.

    PLAN is TOML with tables [variants.NAME], [devices.NAME] and [data.NAME], and if they are wanted [build] and
    [audit]. Each model is built once and measured on every device, of which each measures one at a time. The folder
    holds results.csv, a frontier for each device, and all bundles and reports. Interrupted, the same command goes on.

    \b
    Examples:
      edgeffnet sweep plan.toml
      edgeffnet sweep plan.toml --dry-run
      edgeffnet sweep plan.toml --output lite-on-two-boards --jobs 4
      edgeffnet sweep plan.toml --scheduler tcp://cluster:8786
    """
    from edgeffnet.sweep.sweep import planned
    from edgeffnet.sweep.sweep import sweep as run

    if dry_run:
        folder, work = planned(plan, output)
        listed = [["edgeffnet", *job.words] for job in work.jobs.values()]
        if as_json:
            click.echo(json.dumps({"folder": str(folder), "commands": listed}, indent=2))
        else:
            click.echo("\n".join(map(shlex.join, [["cd", str(folder)], *listed])))
        return
    said = f"what is done is kept in {output}: the same command goes on"
    with when_interrupted(lambda: click.echo(said, err=True)):
        found = run(plan, output, jobs=jobs, scheduler=scheduler)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        from edgeffnet.report.sweep_tables import show

        show(found)
    _require_whole(found)


def _require_whole(found: Sweep) -> None:
    """The error of the first job that failed, of the first row that could not be read, or of a gate that failed."""
    of = len(found.work.jobs)
    broken = next((row.error for row in found.rows if row.error), None)
    if found.failed:
        first = found.outcomes[found.failed[0]]
        error = EdgeffnetError(f"{len(found.failed)} of {of} jobs failed, such as {found.failed[0]}: {first.said}")
        error.exit_code = first.code if first.code > 0 else EdgeffnetError.exit_code
        raise error
    if broken:
        raise DataError(f"a result cannot be read: {broken}")
    if found.gates_failed:
        raise AccuracyError(f"gates of {len(found.gates_failed)} of {of} jobs failed, such as {found.gates_failed[0]}")
