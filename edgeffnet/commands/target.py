"""`edgeffnet target`: what is on a board, what is missing, and how to leave it clean."""

from __future__ import annotations

import json

import click


@click.group()
def target() -> None:
    """Look at a target, or clear what was left there.

    \b
    Examples:
      edgeffnet target check ssh://pi@raspberrypi.local
      edgeffnet target prepare qemu
      edgeffnet target clear ssh://pi@raspberrypi.local
    """


@target.command()
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
def check(url: str, as_json: bool) -> None:
    """Say what is at URL and what is missing, with the line that installs it.

    \b
    Example:
      edgeffnet target check 'ssh://pi@raspberrypi.local?python=/home/pi/venv/bin/python'
    """
    from edgeffnet.errors import TargetError
    from edgeffnet.targets.check import check as run

    found = run(url)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(found.lines()))
    if not found.usable:
        raise TargetError(f"{url}: {found.missing}")


@target.command()
@click.argument("what", type=click.Choice(["qemu"]))
def prepare(what: str) -> None:
    """Make and keep what the emulated target needs: an arm64 system, LiteRT for it, the counter.

    \b
    Example:
      edgeffnet target prepare qemu
    """
    from edgeffnet.targets.sysroot import prepare as run

    made = run(lambda step: click.echo(f"preparing {step}", err=True))
    click.echo(f"{what} is ready in {made.folder}")


@target.command()
@click.argument("url")
def clear(url: str) -> None:
    """Remove the files that edgeffnet keeps at URL.

    \b
    Example:
      edgeffnet target clear ssh://pi@raspberrypi.local
    """
    from contextlib import closing

    from edgeffnet.targets.address import target as at

    with closing(at(url)) as there:
        click.echo(f"removed {there.clear()}")
