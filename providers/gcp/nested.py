"""Fields of nested columns of Google's export, by their path: `usage.pricing_unit`, `project.labels`."""

import polars as pl


def type_of(path: str, schema: pl.Schema) -> pl.DataType | None:
    """Return the type of a column, or of a field of one; None where the export has none."""
    name, _, inner = path.partition(".")
    dtype = schema.get(name)
    if not inner or dtype is None:
        return dtype
    fields = {part.name: part.dtype for part in dtype.fields} if isinstance(dtype, pl.Struct) else {}
    found = fields.get(inner)
    return found() if isinstance(found, type) else found


def field(path: str, schema: pl.Schema) -> pl.Expr:
    """Return a column, or a field of one; null where the export has none."""
    if type_of(path, schema) is None:
        return pl.lit(None)
    name, _, inner = path.partition(".")
    return pl.col(name).struct.field(inner) if inner else pl.col(name)
