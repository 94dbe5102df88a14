"""Commands on a bundle that is there: `verify`, `rebuild`, `bundle`; and the options of those that make one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_path = click.Path(path_type=Path)
_as_json = click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")

_OPTIONS = (
    click.option(
        "--bundle", default="", metavar="PARTS", help="Parts for integrators to add: android, cpp, mcu, python."
    ),
    click.option("--force", is_flag=True, help="Replace a bundle of other options that --output holds."),
)


def bundle_options(command: F) -> F:
    """Adds --bundle and --force."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def parts_of(text: str, option: str) -> tuple[str, ...]:
    """The parts that the option names; UsageError for one that there is not."""
    if not text:
        return ()
    from edgeffnet.bundle import parts

    return parts.names(text, option)


def _tell(result: dict[str, Any], passed: str | None, lines: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    for line in (*([passed] if passed else []), *(f"  {line}" for line in lines)):
        click.echo(line)


@click.command()
@click.argument("bundle", type=_path)
@_as_json
def verify(bundle: Path, as_json: bool) -> None:
    """Check a BUNDLE against its manifest, and replay its golden images in every runtime that is installed.

    Files are compared by hash, the contract with what the models state, budget and accuracy floors with the
    report's figures; pixels are made again from the images, and outputs by each model.

    \b
    Example:
      edgeffnet verify out
    """
    from edgeffnet.bundle.verify import verify as run
    from edgeffnet.errors import ArtifactError

    found = run(bundle)
    passed = f"PASS  {bundle}: {found.files} files are as they were built" if found.passed else None
    _tell(found.to_dict(), passed, (*found.checked, *found.not_checked), as_json)
    if not found.passed:
        raise ArtifactError(f"{bundle}: {'; '.join(found.differences)}")


@click.command()
@click.argument("manifest", type=_path)
@click.option("--output", type=_path, metavar="DIR", help="Where to keep what is built; nowhere otherwise.")
@click.option("--target", metavar="URL", help="Where it was measured, if it has to be measured there again.")
@click.option("--force", is_flag=True, help="Replace a bundle that --output holds.")
@_as_json
def rebuild(manifest: Path, output: Path | None, target: str | None, force: bool, as_json: bool) -> None:
    """Build what a MANIFEST describes again, and compare it byte for byte with what the manifest lists.

    The network that was chosen is built again, without the search. Tools of other versions, another processor,
    images or weights that changed are named. Paths are those that the build was given: run it where that ran.

    \b
    Examples:
      edgeffnet rebuild out/manifest.json
      edgeffnet rebuild out/manifest.json --output again
    """
    from edgeffnet.bundle.rebuild import rebuild as run
    from edgeffnet.errors import ArtifactError

    found = run(manifest, output, target=target, force=force)
    passed = f"PASS  {manifest}: {found.compared} files are the same to the byte" if found.identical else None
    _tell(found.to_dict(), passed, found.changed, as_json)
    if not found.identical:
        raise ArtifactError(found.said())


@click.command()
@click.argument("folder", type=_path, metavar="BUNDLE")
@click.option("--parts", required=True, metavar="PARTS", help="Which: android, cpp, mcu, python.")
def bundle(folder: Path, parts: str) -> None:
    """Add parts for integrators to a BUNDLE, or write those anew that it has; its models stay as they are.

    \b
    Example:
      edgeffnet bundle out --parts android,cpp
    """
    from edgeffnet.bundle.adding import add

    for note in add(folder, parts_of(parts, "--parts")):
        click.echo(f"- {note}")
    click.echo(f"-> {folder}")
