"""The plan document as a workbook: a sheet a table, typed cells, totals that a spreadsheet adds up itself."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from app.reports.paper import is_number
from app.reports.text import plain

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

    from app.reports.paper import Cell, Chapter, Figure, Kind, Paper

LONGEST = 32_767  # characters that a cell may hold
NARROW, BROAD = 12, 60
COSTS = (("Buy", "Cost in the plan"), ("Owned", "Cost in the plan"), ("As it goes", "Cost"), ("Spend", "Cost"))
"""Sheets and columns whose totals add up to the cost of the plan."""
DIGITS = {"money": "#,##0.00", "rate": "#,##0.00##", "share": "0.00%", "count": "#,##0.##", "text": "@", "date": "@"}


def render(paper: Paper) -> bytes:
    """Return the workbook; text is never read as a formula or a link, and the same plan gives the same bytes."""
    from xlsxwriter import Workbook

    content = io.BytesIO()
    plain_text = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(content, {"in_memory": True, **plain_text}) as book:
        made = datetime.fromisoformat(paper.plan.created).astimezone(UTC).replace(tzinfo=None)
        book.set_properties({"title": plain(paper.title), "author": paper.plan.tool.name, "created": made})
        formats = _formats(book)
        summary = book.add_worksheet("Summary")
        totals = {chapter.name: _sheet(book, chapter, formats) for chapter in paper.chapters}
        _summary(summary, paper, totals, formats)
    return content.getvalue()


def _formats(book: Workbook) -> dict[str, Format]:
    found = {kind: book.add_format({"num_format": digits, "valign": "top"}) for kind, digits in DIGITS.items()}
    found |= {
        f"total {kind}": book.add_format({"num_format": digits, "bold": True, "top": 1})
        for kind, digits in DIGITS.items()
    }
    found["title"] = book.add_format({"bold": True, "font_size": 14})
    found["head"] = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"})
    return found


def _sheet(book: Workbook, chapter: Chapter, formats: dict[str, Format]) -> dict[str, str]:
    """Write one table, and return where the total of each of its columns stands."""
    sheet = book.add_worksheet(chapter.name)
    for at, column in enumerate(chapter.columns):
        sheet.write_string(0, at, column.title, formats["head"])
        sheet.set_column(at, at, _width(chapter, at))
        for line, row in enumerate(chapter.rows, start=1):
            _write(sheet, line, at, row[at], column.kind, formats[column.kind])
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, len(chapter.rows), len(chapter.columns) - 1)
    _print(sheet)
    return _totals(sheet, chapter, formats)


def _totals(sheet: Worksheet, chapter: Chapter, formats: dict[str, Format]) -> dict[str, str]:
    from xlsxwriter.utility import xl_col_to_name

    found: dict[str, str] = {}
    line = len(chapter.rows) + 1
    for at, (column, value) in enumerate(zip(chapter.columns, chapter.totals, strict=False)):
        style = formats[f"total {column.kind}"]
        if isinstance(value, Decimal):
            name = xl_col_to_name(at)
            sheet.write_formula(line, at, f"=SUM({name}2:{name}{line})", style, float(value))
            found[column.title] = f"'{chapter.name}'!{name}{line + 1}"
        else:
            sheet.write_string(line, at, str(value or ""), style)
    return found


def _summary(sheet: Worksheet, paper: Paper, totals: dict[str, dict[str, str]], formats: dict[str, Format]) -> None:
    """Write the figures; those that are sums of the other sheets, or follow from such sums, are formulas."""
    sheet.write_string(0, 0, plain(paper.title)[:LONGEST], formats["title"])
    sheet.write_string(1, 0, plain(paper.label)[:LONGEST], formats["text"])
    for at, title in enumerate(("Figure", paper.plan.currency)):
        sheet.write_string(2, at, plain(title), formats["head"])
    places = {figure.key: f"B{line}" for line, figure in enumerate(paper.figures, start=4)}
    for line, figure in enumerate(paper.figures, start=3):
        sheet.write_string(line, 0, figure.name, formats["text"])
        formula = _formula(figure, places, totals)
        if formula:
            value = float(figure.value) if figure.value is not None else 0.0
            sheet.write_formula(line, 1, formula, formats[figure.kind], value)
        else:
            _write(sheet, line, 1, figure.value, figure.kind, formats[figure.kind])
    sheet.set_column(0, 0, 52)
    sheet.set_column(1, 1, 20)
    sheet.freeze_panes(3, 1)
    _print(sheet)


def _formula(figure: Figure, places: dict[str, str], totals: dict[str, dict[str, str]]) -> str:
    """Return how a figure follows from the sheets; empty where it is stated."""
    cost = [place for name, column in COSTS if (place := totals.get(name, {}).get(column))]
    sums = {
        "cost": "+".join(cost),
        "upfront": totals.get("Buy", {}).get("Upfront", ""),
        "total_commitment": totals.get("Buy", {}).get("Contract value", ""),
        "remaining": totals.get("Obligations", {}).get("Still to pay", ""),
    }
    if "on_demand_cost" in places:
        sums["savings"] = f"{places['on_demand_cost']}-{places['cost']}"
        sums["effective_savings_rate"] = f"{places.get('savings', '')}/{places['on_demand_cost']}"
    return f"={sums[figure.key]}" if sums.get(figure.key) else ""


def _write(sheet: Worksheet, line: int, at: int, cell: Cell, kind: Kind, style: Format) -> None:
    if cell is None or cell == "":
        sheet.write_blank(line, at, None, style)
    elif is_number(kind) and not isinstance(cell, str):
        sheet.write_number(line, at, float(cell), style)
    else:
        sheet.write_string(line, at, plain(str(cell))[:LONGEST], style)


def _print(sheet: Worksheet) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _width(chapter: Chapter, at: int) -> float:
    if is_number(chapter.columns[at].kind):
        return 16
    return min(max([NARROW, *(len(str(row[at] or "")) + 2 for row in chapter.rows)]), BROAD)
