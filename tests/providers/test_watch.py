"""How many rows a file of text is taken to have, from its beginning alone."""

import gzip

import pytest

from providers.scan import scans
from providers.watch import watched

ROWS = 20_000
TEXT = b"Date,Cost\n" + b"".join(b"2026-10-%02d,%d.%06d\n" % (row % 31 + 1, row % 977, row) for row in range(ROWS))
PACKED = gzip.compress(TEXT)


class Expected:
    def __init__(self):
        self.rows = 0.0

    def expect(self, amount, unit):
        assert unit == "rows"
        self.rows += amount

    def advance(self, amount, unit):
        pass


def guessed(path, content, passes=1):
    path.write_bytes(content)
    watch = Expected()
    with watched(watch):
        scans([str(path)], passes=passes)
    return watch.rows


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", TEXT), ("a.csv.gz", PACKED), ("two.csv.gz", gzip.compress(TEXT[:5_000]) + gzip.compress(TEXT[5_000:]))],
)
def test_rows_are_guessed_from_the_beginning(tmp_path, name, content):
    assert guessed(tmp_path / name, content) == pytest.approx(ROWS, rel=0.25)
    assert guessed(tmp_path / name, content, passes=3) == pytest.approx(3 * ROWS, rel=0.25)


def test_few_rows_are_counted(tmp_path):
    assert guessed(tmp_path / "a.csv", b"Date,Cost\n2026-10-01,1\n2026-10-02,2\n") == 3  # the head counts too


def test_a_file_that_is_damaged_further_on_is_no_reason_to_stop_before_it_is_read(tmp_path):
    packed = bytearray(gzip.compress(b"Date,Cost\n" + b"2026-10-01,1\n" * 400_000))
    middle = len(packed) * 3 // 4
    packed[middle : middle + 40] = b"\xff" * 40
    assert guessed(tmp_path / "a.csv.gz", bytes(packed)) == 0
