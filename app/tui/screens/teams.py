"""The teams: who pays what, who wastes most, what has no tag, and what a GPU-hour costs."""

from __future__ import annotations

from functools import partial
from threading import Semaphore
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from app.tui import captions, team_words
from app.tui.aside import aside
from app.tui.screens.base import BaseScreen
from app.tui.screens.rows import RowsScreen
from app.tui.teams import POLICIES
from app.tui.widgets.pane import Pane
from app.tui.widgets.table import FittedTable
from app.tui.widgets.teams import Gaps, Items, TeamLines, UnitCosts, Wastes
from app.tui.work import explained

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl
    from textual.binding import BindingType

    from app.gate_rules import Rules
    from app.tui.state import Desk
    from app.tui.teams import Accounts, Books, Line, Period, Told
    from optimizer.stated import Inputs

TEAMS, IDLE, UNTAGGED, UNITS = 1, 2, 3, 4
BRIEF = 110  # cells: in a narrower terminal a caption says less
ADDING = Semaphore(1)
LOOKING = Semaphore(1)
LOOKING = Semaphore(1)


class TeamsScreen(BaseScreen):
    """What each team is shown or charged, and what nobody used or tagged."""

    NAME = "teams"
    ABOUT = (
        "What each team costs in a month, to the cent of the bill: its own cost, and its part of what no team caused, "
        "such as idle GPUs, unused commitments and tax, which g hands out in another way. Choose a team to see its "
        "workloads. Below: what was allocated and not used, and what of it ends if the GPUs are given back; what has "
        "no tag; and what a GPU-hour costs each workload, by month."
    )
    CSS_PATH = "teams.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "policy", "Policy", id="teams.policy", tooltip="Hand out shared costs in another way"),
        Binding(
            "left_square_bracket",
            "period(-1)",
            "Month before",
            id="teams.before",
            key_display="[",
            tooltip="Go to the month before",
            show=False,
        ),
        Binding(
            "right_square_bracket",
            "period(1)",
            "Month after",
            id="teams.after",
            key_display="]",
            tooltip="Go to the month after, and after the last one to all of them together",
            show=False,
        ),
        Binding(
            "left,backspace",
            "leave",
            "All teams",
            id="teams.leave",
            key_display="left",
            tooltip="Go back from the workloads of a team to all teams",
        ),
        Binding("l", "rows", "Rows", id="teams.rows", tooltip="Show the usage rows behind the row under the cursor"),
    ]
    BUSY = frozenset({"policy", "period", "leave", "rows"})

    def __init__(self) -> None:
        super().__init__()
        self._source: tuple[Inputs, Rules | None] | None = None
        self._books: Books | None = None
        self._known: dict[int, Accounts] = {}
        self._at = 0
        self._policy = POLICIES[0]
        self._inside: str | None = None
        self._trouble = ""
        self._adding: Worker[tuple[Books, int, Accounts | None]] | None = None
        self._looking: Worker[tuple[str, pl.DataFrame]] | None = None

    def panes(self) -> Iterable[Pane]:
        """Return the teams, and below them what is wasted, untagged and paid for a GPU-hour."""
        yield Pane(TEAMS, "Teams", TeamLines(), id="pane-teams")
        yield Pane(IDLE, "Idle", Static(Text(team_words.UNMEASURED), classes="unmeasured"), Wastes(), id="pane-idle")
        yield Pane(UNTAGGED, "Untagged", Gaps(), id="pane-untagged")
        yield Pane(UNITS, "Unit costs", UnitCosts(), id="pane-units")

    def draw(self, desk: Desk, drawn: Desk | None) -> None:
        """Add up the usage if it is another than the one that was added up; draw all again in other colours."""
        if desk.session is not None and not self._added_up(desk.session.inputs, desk.rules):
            self._source = (desk.session.inputs, desk.rules)
            self._add_up(None, self.period)
        if drawn is None:
            self._draw_all()

    def _added_up(self, inputs: Inputs, rules: Rules | None) -> bool:
        """Whether the accounts, or those being added up, are of these inputs."""
        if self._source is None or self._source[1] is not rules:
            return False
        from app.tui.books import same

        return same(self._source[0], inputs)

    @property
    def _fresh(self) -> bool:
        """Whether the books on screen are of the inputs that were asked for last."""
        if self._books is None or self._source is None:
            return False
        return self._books.inputs is self._source[0] and self._books.rules is self._source[1]

    def _add_up(self, books: Books | None, period: Period | None) -> None:
        """Add up a period beside the screen; what was begun before is no longer waited for."""
        if self._source is not None:
            work = partial(_answered, *self._source, books, period)
            self._adding = self.run_worker(
                partial(aside, work, ADDING), group="add", exclusive=True, exit_on_error=False
            )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Draw the accounts that were asked for last, or show the rows."""
        worker, done = event.worker, event.state is WorkerState.SUCCESS
        if done and worker is self._adding and self._adding.result is not None:
            self._take(*self._adding.result)
        elif done and worker is self._looking and self._looking.result is not None and self.is_current:
            self.app.push_screen(RowsScreen(*self._looking.result))
        elif worker in {self._adding, self._looking} and event.state is WorkerState.ERROR:
            self._trouble = explained(worker.error) if worker.error else ""
            self.tell()

    def _take(self, books: Books, at: int, accounts: Accounts | None) -> None:
        self._known = {} if books is not self._books else self._known
        self._books, self._at, self._trouble = books, at, ""
        if accounts is not None:
            self._known[at] = accounts
        self._draw_all()
        self._told()

    @property
    def period(self) -> Period | None:
        """The time on screen."""
        return self._books.periods[self._at] if self._books and self._books.periods else None

    @property
    def accounts(self) -> Accounts | None:
        """The accounts of the time on screen, None while they are being added up."""
        return self._known.get(self._at)

    @property
    def team(self) -> Line | None:
        """The team whose workloads are on screen."""
        lines = self.accounts.teams[self._policy] if self.accounts else ()
        return next((line for line in lines if line.key == self._inside and line.opens), None)

    def _draw_all(self) -> None:
        books, accounts = self._books, self.accounts
        if books is None or accounts is None:
            return
        self._draw_teams()
        self.query_one(Wastes).show(accounts.wastes, books.currency)
        self.query_one(".unmeasured").display = not accounts.wastes and accounts.gpu_hours > 0
        self.query_one(Gaps).show(accounts.gaps, books.currency)
        self.query_one(UnitCosts).show(books)

    def _draw_teams(self, at: str | None = None) -> None:
        books, accounts, team = self._books, self.accounts, self.team
        if books is not None and accounts is not None:
            lines = accounts.inside(self._policy, team.key) if team else accounts.teams[self._policy]
            self.query_one(TeamLines).show(lines, books.currency, inside=team is not None, at=at)

    def describe(self) -> None:
        """Say what time the accounts are of, that they add up, and what is wasted and untagged."""
        panes, books, accounts = self._panes, self._books, self.accounts
        if books is None or accounts is None:
            panes[0].describe(self._trouble or self._waiting())
            return
        about = (
            team_words.of_showback(books, accounts, self._policy, self.team, brief=self.app.size.width < BRIEF),
            team_words.of_idle(accounts, books.currency),
            team_words.of_gaps(accounts),
            team_words.of_units(books),
        )
        for pane, words in zip(panes, about, strict=True):
            shown = captions.of_arranged(pane.query_one(FittedTable))
            pane.describe(", ".join(part for part in (self._trouble if pane is panes[0] else "", shown, words) if part))

    def _waiting(self) -> str:
        """Say why there are no accounts yet."""
        if self._books is not None and self.period is None:
            return "the usage has no rows"
        when = f"{self.period.name}: " if self.period else ""
        return f"{when}adding up…" if self._source else "reading usage…"

    def on_resize(self) -> None:
        """Say as much as fits into another width."""
        super().on_resize()
        self.call_after_refresh(self.tell)

    def detail(self) -> Text | None:
        """Tell the row under the cursor in full."""
        books, accounts, row = self._books, self.accounts, self.row
        if books is None or accounts is None or row is None:
            return None
        return team_words.detail(row, books, accounts, self._policy)

    @property
    def row(self) -> Told | None:
        """The row under the cursor."""
        return self.pane.query_one(Items).item if self.is_mounted else None

    @on(FittedTable.Chosen, "#teams")
    def enter_team(self) -> None:
        """Show the workloads of the team that was chosen."""
        line = self.query_one(TeamLines).item
        if line is not None and line.opens and not self.team:
            self._inside = line.key
            self._draw_teams()
            self._told()

    def action_leave(self) -> None:
        """Show all teams again."""
        at, self._inside = self._inside, None
        self._draw_teams(at)
        self._told()

    def action_policy(self) -> None:
        """Hand out shared costs in the next way."""
        self._policy = POLICIES[(POLICIES.index(self._policy) + 1) % len(POLICIES)]
        self._draw_teams()
        self.action_pane(TEAMS)

    def action_period(self, step: int) -> None:
        """Go to another month, or to all of them."""
        self._at += step
        if not self._fresh or self.accounts is None:
            self._add_up(self._books if self._fresh else None, self.period)
        else:
            self._adding = None  # another period, which is no longer asked for
        self._draw_all()
        self._told()

    def action_rows(self) -> None:
        """Show the usage rows behind the row under the cursor."""
        books, period, row, team = self._books, self.period, self.row, self.team
        if books is not None and period is not None and row is not None:
            self._trouble = ""
            work = partial(_behind, books, period, row, team)
            self._looking = self.run_worker(
                partial(aside, work, LOOKING), group="look", exclusive=True, exit_on_error=False
            )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which actions are possible now."""
        if action not in self.BUSY or self.typing:
            return super().check_action(action, parameters)
        if action == "leave":
            return self.current == TEAMS and self.team is not None
        return True if self._books is not None and self._possible(self._books, action, parameters) else None

    def _possible(self, books: Books, action: str, parameters: tuple[object, ...]) -> bool:
        if action == "period":
            return self._at + int(str(parameters[0])) in range(len(books.periods))
        return self.accounts is not None and (action == "policy" or self.row is not None)

    def _told(self) -> None:
        self.tell()
        self.refresh_bindings()


def _answered(
    inputs: Inputs, rules: Rules | None, books: Books | None, period: Period | None
) -> tuple[Books, int, Accounts | None]:
    """Add up a period; the heavy libraries are imported when it runs."""
    from app.tui.showback import answered

    return answered(inputs, rules, books, period)


def _behind(books: Books, period: Period, row: Told, team: Line | None) -> tuple[str, pl.DataFrame]:
    """Return the usage rows behind a row."""
    from app.tui.books import rows_behind

    return rows_behind(books, period, row, team)
