"""`tranche schema`: what the files look like, as JSON Schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from app.commands import options

if TYPE_CHECKING:
    from providers.columns import Column, Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS = ("plan", "usage", "offers", "commitments", "config")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@options.voice_options
def command(*, kind: str) -> None:
    """Print the JSON Schema of a plan file, of one row of a table, or of tranche.toml."""
    options.emit(json.dumps(schema_of(kind), indent=2) + "\n")


def schema_of(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind of file."""
    if kind == "plan":
        from app.reports.planfile import schema

        return schema()
    if kind == "config":
        from app.settings import schema as config_schema

        return config_schema()
    from providers.tables import COMMITMENTS, OFFERS, USAGE

    return _row_schema({table.name: table for table in (USAGE, OFFERS, COMMITMENTS)}[kind])


def _row_schema(table: Table) -> dict[str, Any]:
    """Return the schema of one row; other columns are kept, and an empty cell is null."""
    return {
        "$schema": DIALECT,
        "title": f"one row of {table.name}",
        "description": f"one row for each {' + '.join(table.key)}",
        "type": "object",
        "properties": {column.name: _cell_schema(column) for column in table.columns},
        "required": [column.name for column in table.columns if column.required],
    }


def _cell_schema(column: Column) -> dict[str, Any]:
    kind = _kind(column)
    filled = column.required and column.unless is None
    schema: dict[str, Any] = {"type": kind["type"] if filled else [kind["type"], "null"]}
    schema |= {name: value for name, value in kind.items() if name != "type"} | _bounds(column)
    choices = _choices(column)
    if choices:
        schema["enum"] = choices if column.required else [*choices, None]
    if column.default is not None:
        schema["default"] = column.default
    return {**schema, "description": column.about}


def _kind(column: Column) -> dict[str, str]:
    import polars as pl

    from providers.columns import TIME

    kinds = {pl.Float64(): {"type": "number"}, pl.Boolean(): {"type": "boolean"}}
    return (
        {"type": "string", "format": "date-time"}
        if column.dtype == TIME
        else kinds.get(column.dtype, {"type": "string"})
    )


def _bounds(column: Column) -> dict[str, float]:
    from providers.rules import NOT_NEGATIVE, POSITIVE, SHARE

    bounds: dict[str, float] = {}
    for rule, meaning in (
        (NOT_NEGATIVE, {"minimum": 0}),
        (POSITIVE, {"exclusiveMinimum": 0}),
        (SHARE, {"minimum": 0, "maximum": 1}),
    ):
        if rule in column.rules:
            bounds |= meaning
    return bounds


def _choices(column: Column) -> list[str]:
    from providers.tables import AVAILABILITIES, CONFIDENCES, PURCHASE_OPTIONS, RESIDUALS, STATUSES

    choices = {
        "purchase_option": PURCHASE_OPTIONS,
        "status": STATUSES,
        "confidence": CONFIDENCES,
        "availability": AVAILABILITIES,
        "granularity": ("hour", "day"),
        "residual": RESIDUALS,
    }
    return list(choices.get(column.name, ()))
