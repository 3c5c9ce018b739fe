"""`tranche fetch`: prices and commitments from every provider -> the workspace; nothing else needs the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.commands import options
from app.diagnostics import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.diagnostics import Voice
    from app.setting_tables import FetchTable
    from providers.feeds import Feed
    from providers.refresh import Outcome
    from providers.store import Workspace


@click.command()
@click.argument("feeds", nargs=-1, metavar="[FEED]...")
@click.option("--region", "regions", multiple=True, metavar="GLOB", help="Only regions such as us-*; repeat for more.")
@click.option("--list", "listing", is_flag=True, help="List the feeds, what they bring and what they need.")
@options.workspace_option
@options.config_option
@options.now_option
@options.format_option("table", "json")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, feeds: tuple[str, ...], form: str, **given: Any) -> ExitCode:  # noqa: ANN401 - click's own
    """Refresh the price book in the workspace, and what is owned; each FEED or provider named, or all.

    A feed is read whole or not at all: where one fails, its old prices stay, the others are refreshed, and the exit
    code is 6. Feeds without credentials are skipped, unless they were named.
    """
    from app import settings
    from app.loading import workspace_of
    from app.quiet import hush_libraries
    from providers.feeds import chosen

    hush_libraries()
    voice = options.voice_of(context)
    whole = settings.find(given["config"]) or settings.Settings()
    said = whole.fetch
    wanted = chosen(feeds or said.feeds)
    if given["listing"]:
        options.emit(_listed(wanted, form))
        return ExitCode.DONE
    workspace = workspace_of(given["workspace"], whole)
    outcomes = _refreshed(wanted, said, workspace, voice, {**given, "regions": given["regions"] or said.regions})
    for outcome in outcomes:
        _say(outcome, voice, named=bool(feeds))
    options.emit(_rendered(outcomes, form))
    return _verdict(outcomes, named=bool(feeds))


def _refreshed(
    feeds: Mapping[str, Feed], said: FetchTable, workspace: Workspace, voice: Voice, given: Mapping[str, Any]
) -> list[Outcome]:
    from providers import bundle
    from providers.asking import Ask
    from providers.offers import usual_prices
    from providers.refresh import refresh

    now, usual = options.time_of(given["now"]), usual_prices(bundle.price_book().frame)
    with voice.several(tuple(feeds)) as bars:

        def ask_of(name: str) -> Ask:
            return Ask(
                now=now, regions=tuple(given["regions"]), urls=said.urls, progress=bars.of(name) if bars else None
            )

        def ended(outcome: Outcome) -> None:
            if bars:
                bars.end(outcome.feed, outcome.state)

        return refresh(feeds, ask_of, workspace, usual=usual, ended=ended)


def _say(outcome: Outcome, voice: Voice, *, named: bool) -> None:
    if outcome.state == "failed":
        voice.say("warning", f"{outcome.feed} was not refreshed: {outcome.message}")
    elif outcome.state == "skipped" and named:
        voice.say("warning", f"{outcome.feed} was skipped: {outcome.message}")
    voice.report(outcome.found)


def _verdict(outcomes: Sequence[Outcome], *, named: bool) -> ExitCode:
    bad = ("failed", "skipped") if named else ("failed",)
    return ExitCode.UNREADABLE if any(outcome.state in bad for outcome in outcomes) else ExitCode.DONE


def _listed(feeds: Mapping[str, Feed], form: str) -> str:
    import json

    from app.reports.text import columns

    rows = [(name, feed.about, feed.needs or "nothing") for name, feed in sorted(feeds.items())]
    if form == "json":
        return (
            json.dumps([{"feed": name, "about": about, "needs": needs} for name, about, needs in rows], indent=2) + "\n"
        )
    return "\n".join(columns(("Feed", "Brings", "Needs"), rows, width=options.terminal_width())) + "\n"


def _rendered(outcomes: Sequence[Outcome], form: str) -> str:
    import json
    from dataclasses import asdict

    from app.reports.planfile import harmless
    from app.reports.text import columns, count, plain

    if form == "json":
        return harmless(json.dumps([asdict(one) for one in outcomes], indent=2, ensure_ascii=False)) + "\n"
    titles = ("Feed", "Outcome", "Rows", "New", "Changed", "Gone", "Seconds", "Why")
    rows = [
        (
            one.feed,
            one.state,
            *map(count, (one.rows, one.new, one.changed, one.gone)),
            f"{one.seconds:.1f}",
            one.message.partition(": ")[2],
        )
        for one in outcomes
    ]
    return "\n".join(plain(line) for line in columns(titles, rows, width=options.terminal_width())) + "\n"
