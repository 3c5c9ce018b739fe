"""Which kind of export a file is, by content and never by name."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "usage",  # our own table
    "aws_cur",  # CUR 2.0 or legacy, Parquet or CSV
    "aws_manifest",
    "gcp_detailed",
    "azure_actual",
    "azure_amortized",
    "azure_manifest",
    "focus",
    "focus_commitments",
    "opencost",
    "prometheus",  # a saved answer of its HTTP API
]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file on this machine that is to be read: where it is, what to call it, and what it is."""

    path: str
    name: str
    kind: Kind
