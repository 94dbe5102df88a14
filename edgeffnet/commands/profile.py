"""`edgeffnet profile`: a device profile measured on what is attached."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgeffnet.commands.interrupts import when_interrupted


@click.command()
@click.option(
    "--target",
    default="local",
    show_default=True,
    metavar="URL",
    help="What to measure: local, or ssh://user@host[:port][?python=/path], adb://serial.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The profile, such as board.toml."
)
@click.option("--threads", multiple=True, type=click.IntRange(1), help="A thread count to measure at; repeat for more.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
def profile(target: str, output: Path, threads: tuple[int, ...], as_json: bool) -> None:
    """Measure a device in a few minutes, so that `--device FILE` estimates what it will do.

    Small networks with random weights run on the target in fp32 and int8; prices of operators are fitted to their
    times, and judged on networks that were left out. Interrupted, the same command goes on where it was.

    \b
    Examples:
      edgeffnet profile --target local --output desk.toml
      edgeffnet profile --target ssh://pi@raspberrypi.local --output board.toml
      edgeffnet build --device board.toml --max-latency 30ms
    """
    from edgeffnet.profiling.profile import profile as run
    from edgeffnet.profiling.profile import work_folder

    def say() -> None:
        if work_folder(output).is_dir():
            click.echo(f"the timings so far are kept in {work_folder(output)}: the same command goes on", err=True)

    with when_interrupted(say):
        found = run(target, output, threads=threads)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    from edgeffnet.report.device_tables import show_profiled

    show_profiled(found)
