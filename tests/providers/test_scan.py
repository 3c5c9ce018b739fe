"""Files become frames: what a format may do to us is either read right or refused by name."""

import gzip
import json
from datetime import UTC, datetime

import polars as pl
import pytest

from providers.scan import UnknownFileError, format_of, is_utf8, reading, scans, schema_of
from providers.tables import InputError

LONG = "x" * 5000
ROWS = [{"id": str(number), "text": f"row {number * 7919}"} for number in range(20_000)]


def csv_of(rows):
    return "\n".join(["id,text", *(f"{row['id']},{row['text']}" for row in rows), ""]).encode()


def lines_of(rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def file(tmp_path):
    """Write bytes under a name and return the path as text."""

    def write(content, name="bill"):
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


def rows_of(*paths):
    return [row for frame in scans(paths) for row in frame.collect(engine="in-memory").rows()]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param(b"id,text\n1,a\n", [("1", "a")], id="csv"),
        pytest.param(b"id,text\n1,a", [("1", "a")], id="no last newline"),
        pytest.param(b"id,text\r\n1,a\r\n", [("1", "a")], id="Windows lines"),
        pytest.param(b"\xef\xbb\xbfid,text\n1,a\n", [("1", "a")], id="byte order mark"),
        pytest.param(b"\xef\xbb\xbf" + b'{"id":"1","text":"a"}\n', [("1", "a")], id="byte order mark before JSON"),
        pytest.param(b"id,text\n\n1,a\n\n", [(None, None), ("1", "a"), (None, None)], id="blank lines stay as nulls"),
        pytest.param(b"id,text\nNULL,null\n\\N,\n", [(None, None)] * 2, id="NULL as text"),
        pytest.param(b"id,text\n1\n", [("1", None)], id="fewer fields than columns"),
        pytest.param(b"id,text\n", [], id="a header alone"),
        pytest.param(f"id,text\n1,{LONG}\n".encode(), [("1", LONG)], id="5,000 characters"),
        pytest.param(b'id,text\n1,"two\nlines, ""quoted"""\n', [("1", 'two\nlines, "quoted"')], id="quotes"),
        pytest.param("id,text\n1,M\u00fcnchen\n".encode(), [("1", "M\u00fcnchen")], id="utf-8"),
        pytest.param("id,text\n1,M\u00fcnchen\n".encode("latin-1"), [("1", "M\ufffdnchen")], id="latin-1"),
        pytest.param(b'{"id":"1","text":"a"}\n\n{"id":"2"}\n', [("1", "a"), ("2", None)], id="objects, one a line"),
        pytest.param(b'[{"id":"1","text":"a"},\n {"id":"2","text":null}]', [("1", "a"), ("2", None)], id="one array"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_what_is_in_a_file_is_what_is_read(file, content, rows, packed):
    assert rows_of(file(gzip.compress(content) if packed else content)) == rows


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_of_several_members_is_read_to_its_end(file, members):
    body = b"".join(gzip.compress(part) for part in [b"id,text\n", *[b"1,a\n"] * members])
    assert rows_of(file(body)) == [("1", "a")] * members


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b" \n\n", "is empty"), (gzip.compress(b"", mtime=0), "is empty"), (b"\x7fELF\0\0", "binary")],
)
def test_what_is_no_data_says_so(file, content, problem):
    with pytest.raises(UnknownFileError, match=rf"^cur\.csv: .*{problem}"):
        format_of(file(content, "cur.csv"))


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^gone\.csv: cannot be read \(No such file"):
        scans([str(tmp_path / "gone.csv")])


def parquet(path):
    pl.DataFrame(ROWS).write_parquet(path, row_group_size=1000)
    return path.read_bytes()


def flipped(content):
    """Damage the pages and leave the footer as it is."""
    return content[:2000] + bytes(byte ^ 0x5A for byte in content[2000:6000]) + content[6000:]


DAMAGED = {
    "gzip CSV cut short": lambda _: gzip.compress(csv_of(ROWS))[:-2000],
    "gzip JSON cut short": lambda _: gzip.compress(lines_of(ROWS))[:-2000],
    "JSON cut short": lambda _: lines_of(ROWS)[:-9],
    "JSON that is not UTF-8": lambda _: lines_of(ROWS) + '{"id":"M\u00fc"}\n'.encode("latin-1"),
    "too many fields": lambda _: csv_of(ROWS) + b"1,2,3\n",
    "a quote that does not end": lambda _: csv_of(ROWS) + b'1,"a\n',
    "Parquet cut short": lambda folder: parquet(folder / "whole")[:-2000],
    "Parquet with damaged pages": lambda folder: flipped(parquet(folder / "whole")),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_among_sound_ones_is_named(tmp_path, file, damage):
    sound = file(csv_of(ROWS), "sound.csv")
    path = file(damage(tmp_path), "damaged")
    with (
        pytest.raises(InputError, match=r"^(may\.gz|damaged): cannot be read"),
        reading({sound: "sound.csv", path: "may.gz"}),
    ):
        rows_of(sound, path)


def test_an_error_that_is_not_the_files_stays_what_it_was(file):
    sound = file(b"id,text\n1,a\n")
    with pytest.raises(pl.exceptions.ColumnNotFoundError), reading({sound: "sound.csv"}):
        scans([sound])[0].select("absent").collect()


def test_files_whose_columns_differ_are_frames_of_their_own(file):
    early = file(b"id,text\n1,a\n", "early.csv")
    late = file(b"id,text,net\n2,b,3\n", "late.csv")
    again = file(b"id,text\n3,c\n", "again.csv")
    first, second = scans([early, late, again])
    assert first.collect().sort("id").rows() == [("1", "a"), ("3", "c")]
    assert second.collect().rows() == [("2", "b", "3")]


def test_parquet_keeps_its_types(tmp_path):
    frame = pl.DataFrame({"cost": [1.5], "at": [datetime(2026, 4, 1, tzinfo=UTC)]})
    path = tmp_path / "no ending"
    frame.write_parquet(path)
    assert schema_of(str(path)) == frame.schema
    assert scans([str(path)])[0].collect().equals(frame)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("encoding", "expected"), [("utf-8", True), ("latin-1", False), ("cp1252", False)])
def test_text_that_is_not_utf8_is_told(file, encoding, expected, packed):
    content = csv_of([*ROWS, {"id": "1", "text": "M\u00fcnchen"}]).decode().encode(encoding)
    assert is_utf8(file(gzip.compress(content) if packed else content)) is expected


def test_a_letter_across_two_chunks_is_utf8(file, monkeypatch):
    monkeypatch.setattr("providers.scan.CHUNK_BYTES", 3)
    assert is_utf8(file("id\nab\u00fc\u20ac\U0001f600\n".encode()))
