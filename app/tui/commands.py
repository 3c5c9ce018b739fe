"""What can be typed after `:`: every edit, and every action of the screen."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rich.text import Text

from app.edits import FORMS as EDITS
from app.tui.screens.modes import MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rich.console import RenderableType

    from app.tui.screens.base import BaseScreen


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: how it is written, what it does; run returns what is wrong, empty if nothing."""

    form: str
    about: str
    run: Callable[[BaseScreen, str], str]


def run(screen: BaseScreen, text: str) -> str:
    """Do what was typed; returns what is wrong with it, empty if nothing."""
    name, _, rest = text.strip().partition(" ")
    if name in EDITS:
        return screen.tranche.edit(text)
    if name in COMMANDS:
        return COMMANDS[name].run(screen, rest.strip())
    found = _action(screen, text.strip().lower())
    if found is not None:
        return found
    known = [*EDITS, *COMMANDS, *(name for name, _ in actions(screen))]
    close = get_close_matches(name.lower(), known, n=1)
    return f"there is no command {name!r}; " + (f"did you mean {close[0]}?" if close else "help lists all")


def actions(screen: BaseScreen) -> Iterable[tuple[str, str]]:
    """Return the name of each action of the screen, and what it does."""
    for _, binding, _, tooltip in screen.active_bindings.values():
        if binding.id and not binding.system:
            yield binding.description.lower(), tooltip or binding.description


def _action(screen: BaseScreen, name: str) -> str | None:
    """Do an action of the screen by its name; None where it has none of that name."""
    for _, binding, _, _ in screen.active_bindings.values():
        if binding.id and binding.description.lower() == name:
            screen.call_later(screen.run_action, binding.action)
            return ""
    return None


def _go(screen: BaseScreen, text: str) -> str:
    names = [mode.name for mode in MODES]
    if text not in names:
        return f"there is no screen {text!r}; there are {', '.join(names)}"
    screen.tranche.action_show_mode(text)
    return ""


def _save(screen: BaseScreen, text: str) -> str:
    if not screen.desk.savable:
        return "the plan is still being worked out; save it once it is there"
    screen.call_later(screen.save_as, text)
    return ""


def _repeated(action: str) -> Callable[[BaseScreen, str], str]:
    def again(screen: BaseScreen, text: str) -> str:
        if text and text != "all" and not text.isdecimal():
            return f"{text!r} is no number of edits; write {action}, {action} 3 or {action} all"
        screen.tranche.travel(action, None if text == "all" else int(text or 1))
        return ""

    return again


def _theme(screen: BaseScreen, text: str) -> str:
    known = sorted(screen.app.available_themes)
    if text not in known:
        return f"there is no theme {text!r}; there are {', '.join(known)}"
    screen.app.theme = text
    return ""


def _by(screen: BaseScreen, text: str) -> str:
    breaking = getattr(screen, "break_down_by", None)
    return breaking(text) if breaking else "only the burn rate is broken down; go now shows it"


def _signs(screen: BaseScreen, text: str) -> str:
    from app.tui import glyphs

    known = {"ascii": glyphs.ASCII, "unicode": glyphs.UNICODE}
    if text not in known:
        return f"{text!r} names no signs; write signs ascii or signs unicode"
    glyphs.use(known[text])
    screen.redraw()
    screen.app.refresh_css(animate=False)
    return ""


def _help(screen: BaseScreen, _text: str) -> str:
    screen.call_later(screen.action_commands)
    return ""


def _session(screen: BaseScreen, text: str) -> str:
    """Name the session, copy it, or begin another."""
    verb, _, rest = text.partition(" ")
    if verb not in {"name", "copy", "open", "new"} or bool(rest.strip()) is (verb == "new"):
        return f"{text!r} cannot be read; write session name NAME, session copy NAME, session open NAME or session new"
    return screen.tranche.session(verb, rest.strip())


def _reload(screen: BaseScreen, _text: str) -> str:
    return screen.tranche.reload()


def _filter(screen: BaseScreen, text: str) -> str:
    from app.filters import FilterError
    from app.tui.widgets.table import FittedTable

    table = next(iter(screen.pane.query(FittedTable)), None)
    if table is None:
        return "there is no table in this pane; tab goes to the next"
    try:
        table.filter(text)
    except FilterError as error:
        return str(error)
    return ""


COMMANDS: Mapping[str, Command] = {
    "go": Command(form="go SCREEN", about="Show another screen", run=_go),
    "save": Command(form="save FILE", about="Write the plan to a file", run=_save),
    "undo": Command(form="undo [N|all]", about="Take back edits", run=_repeated("undo")),
    "redo": Command(form="redo [N|all]", about="Make edits again that were taken back", run=_repeated("redo")),
    "by": Command(form="by COLUMN", about="Break the burn rate down by a column, any tag included", run=_by),
    "filter": Command(form="filter price<3 !spot", about="Show only the rows of this pane that match", run=_filter),
    "reload": Command(form="reload", about="Read the files again, and keep the edits", run=_reload),
    "session": Command(
        form="session name|copy|open NAME, session new",
        about="Keep this session under a name, copy it, go on with another, or begin anew",
        run=_session,
    ),
    "signs": Command(form="signs ascii|unicode", about="Draw with plain characters, or with all signs", run=_signs),
    "theme": Command(form="theme NAME", about="Change the colours", run=_theme),
    "help": Command(form="help", about="List every command", run=_help),
}


def command_parts(screen: BaseScreen) -> tuple[RenderableType, ...]:
    """Write what can be typed."""
    from app.tui.screens.text import titled

    edits = [(form, "") for form in EDITS.values()]
    commands = [(command.form, command.about) for command in COMMANDS.values()]
    return (
        Text("Typed after a colon; up and down bring back what was typed before."),
        titled("Edits, which undo takes back", edits),
        titled("Commands", commands),
        titled("Actions of this screen", sorted(actions(screen))),
    )
