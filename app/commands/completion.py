"""`tranche completion`: what makes a shell complete commands and options."""

from __future__ import annotations

import click

from app.commands import options

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@options.voice_options
def command(*, shell: str) -> None:
    r"""Print the script that completes `tranche` in SHELL.

    \b
    bash: tranche completion bash > ~/.local/share/bash-completion/completions/tranche
    zsh:  tranche completion zsh > ~/.zfunc/_tranche    (a folder of $fpath)
    fish: tranche completion fish > ~/.config/fish/completions/tranche.fish
    """
    options.emit(_script(shell) + "\n")


def _script(shell: str) -> str:
    """Return click's own script; unlike `source`, it asks no bash for its version, since none need be here."""
    from click.shell_completion import ShellComplete, get_completion_class

    from app.cli import tranche

    found = get_completion_class(shell)
    if found is None:
        raise LookupError(f"click completes no {shell}")
    return ShellComplete.source(found(tranche, {}, "tranche", "_TRANCHE_COMPLETE"))
