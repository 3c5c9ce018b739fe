"""The command `tranche`: commands are imported only when they run, so that help is instant."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from app.commands.options import voice_options
from app.diagnostics import ExitCode, Voice, fail

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "approve": "Approve a plan, for later ones to be compared with.",
    "backtest": "Try rules for buying on the past, and see what came after.",
    "completion": "Print what makes a shell complete this command.",
    "demo": "Write a fictional month as the exports of every cloud.",
    "diff": "Explain what changed between two plans, and why.",
    "doctor": "Say what this installation has and finds.",
    "export": "Write a plan as a document: Markdown, HTML, workbook, CSV, FOCUS, orders.",
    "fetch": "Refresh prices and commitments from every provider.",
    "moving": "What moving workloads saves, and what would keep them where they are.",
    "open": "Open the terminal UI on given files.",
    "plan": "Plan what to buy, from usage and offers.",
    "price": "List the offers for one GPU, cheapest first.",
    "schema": "Print the JSON Schema of the files.",
    "sessions": "List, copy, compare and delete what was negotiated in the terminal UI.",
    "show": "Show a plan that was written, in another form.",
    "usage": "Turn bills into the usage table, reconciled to the cent.",
    "walkaway": "Find the highest price worth paying for every quote.",
}


class Lazy(click.Group):
    """A group whose commands live in `app.commands`, one module each."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"app.commands.{cmd_name}").command
        found.name = cmd_name
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _say_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:  # noqa: FBT001 - click's own
    if asked:
        from app.version import version

        click.echo(f"tranche {version()}")
        context.exit()


@click.group(cls=Lazy, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_say_version, help="Show the version."
)
@voice_options
@click.pass_context
def tranche(context: click.Context) -> None:
    """Plan GPU capacity: what to reserve, what to leave on spot and on demand, and what a quote is worth.

    Without a command, the terminal UI opens on the demo.
    """
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(context.get_help())
        context.exit(ExitCode.USAGE)
    from app.commands.options import time_of
    from app.session import Request
    from app.tui.app import run

    run(Request(now=time_of(None)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; whatever goes wrong becomes one line on stderr and an exit code."""
    voice = Voice()
    try:
        code = tranche.main(args=arguments, prog_name="tranche", standalone_mode=False, obj=voice)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except BaseException as error:  # noqa: BLE001 - this is where every error ends
        return fail(error, voice)
    return code if isinstance(code, int) else ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
