"""`edgeffnet completion`: click's own completion of commands, options and files, for a shell to load."""

from __future__ import annotations

import click

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_EDGEFFNET_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands, options and device names.

    \b
    Examples:
      edgeffnet completion bash >~/.local/share/bash-completion/completions/edgeffnet
      edgeffnet completion zsh >"${fpath[1]}/_edgeffnet"
      edgeffnet completion fish >~/.config/fish/completions/edgeffnet.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, "edgeffnet", _VARIABLE).source())


def device_names(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:  # noqa: ARG001
    """The shipped profiles that begin with what is `typed`."""
    from edgeffnet import devices

    return [name for name in devices.device_names() if name.startswith(typed)]
