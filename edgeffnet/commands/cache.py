"""`edgeffnet cache`: what is kept from earlier builds, and how to be rid of it."""

from __future__ import annotations

import json
from itertools import groupby

import click


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
@click.pass_context
def cache(context: click.Context, as_json: bool) -> None:
    """Show what steps of earlier builds are kept, or clear them.

    A step is kept by the hash of all that made it, checked before it is used, and made anew where it is damaged. The
    longest unused go first beyond 4 GB, or EDGEFFNET_CACHE_LIMIT; EDGEFFNET_CACHE names another folder.

    \b
    Examples:
      edgeffnet cache
      edgeffnet cache --json
      edgeffnet cache clear
    """
    if context.invoked_subcommand is None:
        _show(as_json)


@cache.command()
def clear() -> None:
    """Remove everything that no build uses just now."""
    from edgeffnet.cache.store import Cache

    kept = Cache.of_user()
    click.echo(f"freed {kept.clear() / 1e6:,.1f} MB in {kept.folder}")


def _show(as_json: bool) -> None:
    from edgeffnet.cache.store import Cache

    kept = Cache.of_user()
    entries = sorted(kept.entries(), key=lambda one: one.kind)
    kinds = {kind: list(found) for kind, found in groupby(entries, lambda one: one.kind)}
    if as_json:
        told = {
            "folder": str(kept.folder),
            "limit_bytes": kept.limit,
            "bytes": sum(one.bytes for one in entries),
            "entries": [{"kind": one.kind, "key": one.key, "bytes": one.bytes} for one in entries],
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    total = sum(one.bytes for one in entries)
    click.echo(f"{kept.folder}: {total / 1e6:,.1f} MB of {kept.limit / 1e6:,.0f} MB")
    for kind, found in kinds.items():
        click.echo(f"  {kind:16} {len(found):5}  {sum(one.bytes for one in found) / 1e6:10,.1f} MB")
