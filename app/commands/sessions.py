"""`tranche sessions`: what was negotiated, kept by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.commands import options

if TYPE_CHECKING:
    from app.sessions import SessionFile


@click.group(invoke_without_command=True)
@options.voice_options
@click.pass_context
def command(context: click.Context) -> None:
    """List the sessions that are kept, and copy, rename, compare or delete them.

    The terminal UI saves its session as it goes: `tranche open --session NAME` goes on with one, and `tranche plan
    --session NAME` makes the same edits and gives the same bytes. Sessions hold negotiated prices and stay here.
    """
    if context.invoked_subcommand is not None:
        return
    from app.sessions import Sessions

    kept = Sessions()
    lines = [_line(kept.read(name)) for name in kept.names()]
    options.emit("".join(f"{line}\n" for line in lines) or "no session is kept yet\n")


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Print what a session was asked for, and every edit; those that were undone in brackets."""
    from app.reports.text import plain
    from app.sessions import Sessions

    file = Sessions().read(name)
    edits = [edit.line if number <= file.at else f"({edit.line})" for number, edit in enumerate(file.edits, 1)]
    options.emit("".join(f"{plain(line)}\n" for line in (_line(file), *edits)))


@command.command("copy")
@click.argument("name")
@click.argument("other")
def copy(name: str, other: str) -> None:
    """Keep a session under another name too."""
    from app.sessions import Sessions

    Sessions().copy(name, other)


@command.command("rename")
@click.argument("name")
@click.argument("other")
def rename(name: str, other: str) -> None:
    """Give a session another name."""
    from app.sessions import Sessions

    Sessions().copy(name, other, move=True)


@command.command("export")
@click.argument("name")
@click.argument("file")
@options.voice_options
@click.pass_context
def export(context: click.Context, /, *, name: str, file: str) -> None:
    """Write a session to FILE, for another machine: its options and edits, not the tables that they are of."""
    from app.sessions import Sessions, encoded

    content = encoded(Sessions().read(name))
    options.write_out(file, content, options.voice_of(context))


@command.command("import")
@click.argument("file")
@click.argument("name")
def bring(file: str, name: str) -> None:
    """Keep the session of FILE under a name; the paths in it begin where this is run."""
    from app.sessions import Sessions

    Sessions().bring(file, name)


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def delete(context: click.Context, /, *, name: str, yes: bool) -> None:
    """Delete a session; its edits cannot be brought back."""
    from app.sessions import Sessions

    kept = Sessions()
    file = kept.read(name)
    if not yes and not click.confirm(f"delete session {name} with {len(file.edits)} edits?", err=True):
        options.voice_of(context).say("note", f"session {name} is kept")
        return
    kept.delete(name)


@command.command("compare")
@click.argument("old")
@click.argument("new")
@options.format_option("table", "json", "md")
@options.voice_options
@click.pass_context
def compare(context: click.Context, /, *, old: str, new: str, form: str) -> None:
    """Plan with the edits of two sessions, and explain what differs between the plans, and why."""
    from app.commands.diff import rendered
    from app.comparing import comparison
    from app.reports.document import document
    from app.reports.planfile import Approval
    from app.sessions import Sessions, negotiated

    voice, kept = options.voice_of(context), Sessions()
    plans = []
    for name in (old, new):
        with voice.waiting(f"solving {name}"):
            session = negotiated(kept.read(name))
            plans.append(document(session, session.plan(), created=session.inputs.now))
    options.emit(rendered(plans[0], plans[1], comparison(plans[0], plans[1]), Approval(), form))


def _line(file: SessionFile) -> str:
    from app.reports.text import plain
    from app.sessions import in_use

    undone = len(file.edits) - file.at
    parts = [
        f"{file.name}: {file.at} edits" + (f", {undone} undone" if undone else ""),
        f"as of {file.request.now:%Y-%m-%d}",
        ", ".join(file.request.usage) or "the demo",
        *(["open now"] if in_use(file) else []),
    ]
    return plain(" · ".join(parts))
