"""The plan document as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.reports.markdown import escaped
from app.reports.paper import Chapter, is_number, written
from app.reports.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.reports.paper import Cell, Paper


def render(paper: Paper) -> str:
    """Return the whole document."""
    blocks = [f"# {escaped(paper.title)}", _label(paper), _figures(paper)]
    blocks += [_titled(chapter, _table(chapter, paper.plan.currency)) for chapter in paper.chapters]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _label(paper: Paper) -> str:
    return f"> **{escaped(paper.label)}**" if paper.label else ""


def _figures(paper: Paper) -> str:
    rows = [
        f"| {escaped(one.name)} | {escaped(written(one.value, one.kind, paper.plan.currency))} |"
        for one in paper.figures
    ]
    return "\n".join(["| Figure | Value |", "|---|---:|", *rows])


def _titled(chapter: Chapter, table: str) -> str:
    note = f"{escaped(chapter.note)}\n\n" if chapter.note else ""
    return f"## {chapter.title}\n\n{note}{table}"


def _table(chapter: Chapter, currency: str) -> str:
    lines = ["| " + " | ".join(column.title for column in chapter.columns) + " |"]
    lines.append("|" + "|".join("---:" if is_number(column.kind) else "---" for column in chapter.columns) + "|")
    lines += [_line(chapter, row, currency) for row in chapter.rows]
    if chapter.totals:
        cells = [
            "" if cell is None else f"**{_cell(cell, column.kind, currency)}**"
            for cell, column in zip(chapter.totals, chapter.columns, strict=True)
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _line(chapter: Chapter, row: Sequence[Cell], currency: str) -> str:
    cells = [_cell(cell, column.kind, currency) for cell, column in zip(row, chapter.columns, strict=True)]
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell, kind: str, currency: str) -> str:
    return escaped(plain(cell) if isinstance(cell, str) else written(cell, kind, currency))  # type: ignore[arg-type]
