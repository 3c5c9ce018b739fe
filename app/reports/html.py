"""The plan document as one page that prints: no script, nothing loaded from elsewhere, light or dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from app.reports.html_charts import cash_chart, load_chart
from app.reports.paper import Chapter, Column, Figure, is_number, written
from app.reports.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.reports.paper import Cell, Paper

HEADLINE = ("cost", "savings", "effective_savings_rate", "total_commitment", "upfront", "payback_months")
WIDE = 9  # columns from which a table is set small
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--soft:#59636e;--rule:#d8dee4;--band:#f6f8fa;
--a:#2f6db5;--b:#d98a1f;--c:#7d8793;--d:#8a4fa3;--line:#111827}
@media screen and (prefers-color-scheme:dark){:root{--page:#14181d;--ink:#e6e9ed;--soft:#9aa4af;--rule:#343b44;
--band:#1c2229;--a:#5b9bea;--b:#eda945;--c:#8d97a3;--d:#bd86d6;--line:#f3f4f6}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:32px 28px;background:var(--page);color:var(--ink);
font:14px/1.45 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
h1{font-size:22px;line-height:1.25;margin:0 0 4px}h2{font-size:16px;margin:32px 0 4px;break-after:avoid}
p{margin:2px 0 8px;color:var(--soft);break-after:avoid}
p.label{color:var(--ink);border-left:4px solid var(--b);padding:4px 10px;
background:var(--band);margin:10px 0}
dl.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(178px,1fr));gap:10px;margin:18px 0}
dl.cards div{border:1px solid var(--rule);border-radius:6px;padding:10px 12px;break-inside:avoid}
dl.cards dt{color:var(--soft);font-size:12px}dl.cards dd{margin:2px 0 0;font-size:17px;font-weight:600;
font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:6px 0}
th,td{padding:4px 8px;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top;overflow-wrap:break-word}
th{font-size:12px;color:var(--soft);font-weight:600;vertical-align:bottom}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}
td.d{white-space:nowrap}
thead th{border-bottom:2px solid var(--rule)}tfoot td{font-weight:600;border-top:2px solid var(--rule)}
tr.why td{color:var(--soft);padding-top:0;overflow-wrap:anywhere}tr.has td{border-bottom:0}
table.small{font-size:12px}table.small th{font-size:11px}table.small td,table.small th{padding:3px 6px}
dl.figures{display:grid;grid-template-columns:1fr 1fr;gap:0 40px;margin:6px 0}
dl.figures div{display:flex;justify-content:space-between;gap:12px;padding:3px 0;border-bottom:1px solid var(--rule)}
dl.figures dd{margin:0;font-variant-numeric:tabular-nums;white-space:nowrap}
@media (max-width:640px){dl.figures{grid-template-columns:1fr}}
figure{margin:18px 0;break-inside:avoid}
figcaption{font-weight:600;display:flex;flex-wrap:wrap;gap:6px 18px;justify-content:space-between}
.keys{font-weight:400;color:var(--soft);font-size:12px}.keys span{margin-left:14px;white-space:nowrap}
.keys i{display:inline-block;width:11px;height:11px;margin-right:5px;background:var(--c)}
.keys i.a{background:var(--a)}.keys i.b{background:var(--b)}.keys i.d{background:var(--d)}
.keys i.line{height:2px;margin-bottom:4px;background:var(--line)}
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--soft)}svg text.y{text-anchor:end}
svg .a{fill:var(--a)}svg .b{fill:var(--b)}svg .c{fill:var(--c)}svg .d{fill:var(--d)}
svg .grid{stroke:var(--rule)}svg .line{stroke:var(--line);stroke-width:1.6;fill:none}
svg .end{stroke:var(--soft);stroke-dasharray:4 4}
footer{margin-top:36px;color:var(--soft);font-size:12px}
@page{size:A4 landscape;margin:12mm}
@media print{:root{color-scheme:light}body{padding:0;max-width:none;font-size:11px}table.small{font-size:9px}
table.small th{font-size:8.5px}table.small td,table.small th{padding:2px 4px}.scroll{overflow:visible}
tfoot{display:table-row-group}tr{break-inside:avoid}tr.has{break-after:avoid}*{print-color-adjust:exact}}
"""


def render(paper: Paper) -> str:
    """Return the page; nothing that a file says becomes markup."""
    currency = paper.plan.currency
    options, tool = paper.plan.inputs.options, paper.plan.tool
    top = [figure for key in HEADLINE for figure in paper.figures if figure.key == key]
    charts = {"Cash flow": cash_chart(paper.finance.months, currency)}
    charts["Load"] = load_chart(paper.plan.load) if paper.plan.load else ""
    body = [
        f"<h1>{_text(paper.title)}</h1>",
        f"<p>{_text(options.start[:10])} to {_text(options.end[:10])}, made {_text(paper.plan.created[:10])}</p>",
        f'<p class="label">{_text(paper.label)}</p>' if paper.label else "",
        _cards(top, currency),
        _figures(paper.figures, currency),
        *(_chapter(chapter, charts.get(chapter.name, ""), currency) for chapter in paper.chapters),
        f"<footer>{_text(f'{tool.name} {tool.version}, plan file {paper.plan.format_version}')}</footer>",
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>{_text(paper.title)}</title><style>{STYLE}</style>"
    )
    lines = "\n".join(block for block in body if block)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{lines}\n</body></html>\n'


def _cards(figures: Iterable[Figure], currency: str) -> str:
    cards = (
        f"<div><dt>{_text(one.name)}</dt><dd>{_text(written(one.value, one.kind, currency))}</dd></div>"
        for one in figures
    )
    return f'<dl class="cards">{"".join(cards)}</dl>'


def _figures(figures: Iterable[Figure], currency: str) -> str:
    rows = "".join(
        f"<div><dt>{_text(one.name)}</dt><dd>{_text(written(one.value, one.kind, currency))}</dd></div>"
        for one in figures
    )
    return f'<h2>Figures</h2>\n<dl class="figures">{rows}</dl>'


def _chapter(chapter: Chapter, chart: str, currency: str) -> str:
    """Write one table; a column of reasons stands as a line below its row."""
    why = next((at for at, column in enumerate(chapter.columns) if column.title == "Because"), None)
    shown = [at for at in range(len(chapter.columns)) if why is None or at < why]
    columns = [chapter.columns[at] for at in shown]
    head = "".join(f"<th{_side(column)}>{_text(column.title)}</th>" for column in columns)
    rows = "".join(_row(chapter, row, shown, currency) for row in chapter.rows)
    foot = ""
    if chapter.totals:
        foot = f"<tfoot><tr>{_cells([chapter.totals[at] for at in shown], columns, currency, empty='')}</tr></tfoot>"
    small = ' class="small"' if len(columns) >= WIDE else ""
    note = f"<p>{_text(chapter.note)}</p>" if chapter.note else ""
    table = f"<table{small}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>{foot}</table>"
    return f'<h2>{_text(chapter.title)}</h2>{note}{chart}\n<div class="scroll">{table}</div>'


def _row(chapter: Chapter, row: tuple[Cell, ...], shown: list[int], currency: str) -> str:
    cells = _cells([row[at] for at in shown], [chapter.columns[at] for at in shown], currency)
    reasons = "; ".join(str(row[at]) for at in range(len(row)) if at not in shown and row[at])
    if not reasons:
        return f"<tr>{cells}</tr>"
    return f'<tr class="has">{cells}</tr><tr class="why"><td colspan="{len(shown)}">{_text(reasons)}</td></tr>'


def _cells(row: list[Cell], columns: list[Column], currency: str, empty: str | None = None) -> str:
    said = [
        empty if cell is None and empty is not None else _said(cell, column, currency)
        for cell, column in zip(row, columns, strict=True)
    ]
    return "".join(f"<td{_side(column)}>{_text(text)}</td>" for text, column in zip(said, columns, strict=True))


def _said(cell: Cell, column: Column, currency: str) -> str:
    """Write a cell; text that stands where an amount would, such as the word Total, stays text."""
    return cell if isinstance(cell, str) else written(cell, column.kind, currency)


def _side(column: Column) -> str:
    if is_number(column.kind):
        return ' class="n"'
    return ' class="d"' if column.kind == "date" else ""


def _text(text: str) -> str:
    return escape(plain(text))
