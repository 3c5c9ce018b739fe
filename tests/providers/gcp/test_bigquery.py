"""BigQuery asked for a span, page by page; the client is a stand-in, since no emulator of BigQuery exists."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from google.api_core.exceptions import Forbidden

from providers.gcp.bigquery import COLUMNS, download, statement
from providers.recognise import kind_of
from providers.scan import schema_of
from providers.tables import InputError

SINCE, UNTIL = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)
TABLE = "acme.billing.gcp_billing_export_resource_v1_0A"


class Client:
    """Answers one query with pages, as BigQuery's client does, or refuses."""

    def __init__(self, *pages, error=None):
        self.pages, self.error, self.asked = pages, error, []

    def query(self, text):
        self.asked.append(text)
        if self.error:
            raise self.error
        return self

    def result(self):
        return self

    def to_arrow_iterable(self):
        return iter(self.pages)


def page(cost):
    row = {
        "usage_start_time": datetime(2026, 10, 1, tzinfo=UTC),
        "cost": cost,
        "sku": {"id": "s", "description": "L4 GPU"},
    }
    return pa.RecordBatch.from_pylist([row])


def test_pages_become_one_file(tmp_path):
    client = Client(page(1.0), page(2.0))
    path = download(TABLE, since=SINCE, until=UNTIL, folder=tmp_path, client=client)
    assert kind_of(path, "x") == "gcp_detailed"
    assert set(schema_of(path)) == {"usage_start_time", "cost", "sku"}
    assert client.asked == [statement(TABLE, SINCE, UNTIL)]


def test_the_query_asks_for_the_span_the_columns_and_no_other_partitions():
    text = statement(TABLE, SINCE, UNTIL)
    columns, _, rest = text.removeprefix("SELECT ").partition(" FROM ")
    assert tuple(columns.split(", ")) == COLUMNS
    assert rest.startswith(f"`{TABLE}` WHERE ")
    assert "usage_start_time >= TIMESTAMP '2026-10-01 00:00:00+00'" in text
    assert "usage_start_time < TIMESTAMP '2026-10-02 00:00:00+00'" in text
    assert "DATE(_PARTITIONTIME) BETWEEN DATE '2026-10-01' AND DATE '2026-11-16'" in text


@pytest.mark.parametrize("table", ["acme", "acme.billing", "a.b.c`; DROP TABLE x", ""])
def test_what_names_no_table_is_never_asked(tmp_path, table):
    client = Client()
    with pytest.raises(InputError, match="names no table; write bq://project"):
        download(table, since=SINCE, until=UNTIL, folder=tmp_path, client=client)
    assert client.asked == []


def test_a_refusal_and_an_empty_answer_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read \(403 no\); log in"):
        download(TABLE, since=SINCE, until=UNTIL, folder=tmp_path, client=Client(error=Forbidden("no")))
    with pytest.raises(InputError, match="has no rows in that time"):
        download(TABLE, since=SINCE, until=UNTIL, folder=tmp_path, client=Client())
