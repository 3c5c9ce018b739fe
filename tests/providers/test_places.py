"""What a source names is found, each file once; what does not lie here is only listed until it is fetched."""

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from providers import places
from providers.places import fetch, resolve
from providers.storage import Entry, address_parts, landing, wanted
from providers.tables import InputError


@pytest.fixture
def folder(tmp_path):
    """A folder of bills with what else lies in such folders."""
    root = tmp_path / "bills"
    for name in ("april/a.csv", "april/deep/b.csv", "may/c.csv", "may/_SUCCESS", ".git/config", "may/.c.csv.crc"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


@pytest.fixture
def names(tmp_path):
    def of(*sources):
        return [file.name for file in resolve(list(map(str, sources)), scratch=tmp_path)]

    return of


def test_a_folder_is_everything_in_it_but_hidden_folders(folder, names):
    expected = ["april/a.csv", "april/deep/b.csv", "may/.c.csv.crc", "may/_SUCCESS", "may/c.csv"]
    assert names(folder) == [f"bills/{name}" for name in expected]


def test_a_file_is_called_as_it_is_and_counts_as_named(folder, tmp_path):
    (file,) = resolve([str(folder / "may/c.csv")], scratch=tmp_path)
    assert (file.name, file.named, file.size, file.away) == ("c.csv", True, 9, False)


def test_a_pattern_is_what_matches(folder, names):
    assert names(folder / "**/*.csv") == ["a.csv", "b.csv", "c.csv"]
    assert names(folder / "m*/c.???") == ["c.csv"]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path, names):
    (tmp_path / "bill [1].csv").write_text("x")
    assert names(tmp_path / "bill [1].csv") == ["bill [1].csv"]


def test_a_file_counts_once_however_often_and_by_whatever_way_it_is_named(folder, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder, target_is_directory=True)
    sources = [folder, f"{folder}/../bills/april", link, folder / "may/c.csv", link / "may" / "*.csv"]
    found = resolve(list(map(str, sources)), scratch=tmp_path)
    assert len(found) == len({file.path.resolve() for file in found}) == 5
    assert [file.path.name for file in found if file.named] == ["c.csv"]


def test_links_in_a_folder_are_followed_and_do_not_run_in_circles(folder, names):
    (folder / "may/again").symlink_to(folder, target_is_directory=True)
    assert len(names(folder)) == 5


def test_standard_input_is_kept_and_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\x1f\x8bbytes")))
    (file,) = resolve(["-", "-"], scratch=tmp_path)
    assert (file.name, file.named, file.path.read_bytes()) == ("standard input", True, b"\x1f\x8bbytes")


def test_a_pipe_is_kept_and_read_once(tmp_path, names):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("bytes",))
    writer.start()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (file,) = resolve([str(pipe)], scratch=scratch)
    writer.join()
    assert (file.name, file.path.read_text(), file.path.read_text()) == ("pipe", "bytes", "bytes")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("gone.csv", "does not exist"),
        ("gone/*.csv", "does not exist"),
        ("ftp://host/bill.csv", "begins with ftp://, which is no object store"),
        ("s3://", "names no bucket"),
        ("az://account.blob.core.windows.net", "names no bucket"),
    ],
)
def test_what_is_nowhere_is_said(source, problem, names):
    with pytest.raises(InputError, match=rf"{problem}.*; \w"):
        names(source)


def test_a_folder_that_may_not_be_read_is_no_empty_one(folder, names, monkeypatch):
    listed = os.scandir

    def guarded(path):
        if Path(path).name == "may":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", guarded)  # tests may run as root, who may read everything
    with pytest.raises(InputError, match="Permission denied"):
        names(folder)


class Memory:
    """A bucket in memory, which counts how many objects are fetched at once."""

    address = "s3://bucket"

    def __init__(self, keys, prefix="", broken=()):
        self.keys, self.prefix, self.broken = keys, prefix, broken
        self.at_once, self.most, self.fetched = 0, 0, []
        self.lock = threading.Condition()

    def entries(self, beginning):
        return [Entry(key, len(key), "2026-04-01T00:00:00Z", "e") for key in self.keys if key.startswith(beginning)]

    def download(self, entry, path, advance):
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.most >= min(places.PARALLEL, len(self.keys)), timeout=2)
        with landing(path, entry.size, entry.key) as part:
            if entry.key in self.broken:
                part.write_text(entry.key[:-1])
            else:
                part.write_text(entry.key)
            advance(entry.size)
        with self.lock:
            self.at_once -= 1
            self.fetched.append(entry.key)


class Told:
    def __init__(self):
        self.expected, self.done, self.lock = 0, 0, threading.Lock()

    def expect(self, amount, unit):
        assert unit == "bytes"
        self.expected += amount

    def advance(self, amount, unit):
        assert unit == "bytes"
        with self.lock:
            self.done += amount


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """Let s3:// be a bucket in memory."""

    def of(keys, *, broken=(), progress=None):
        bucket = Memory(keys, broken=broken)
        module = type("module", (), {"Bucket": staticmethod(lambda _: bucket)})
        monkeypatch.setattr(places, "import_module", lambda _: module)
        return bucket, resolve(["s3://bucket"], scratch=tmp_path, progress=progress)

    return of


def test_remote_files_come_when_they_are_asked_for_a_few_at_a_time(remote):
    progress = Told()
    keys = [f"exec/{number:02}.csv" for number in range(10)]
    bucket, found = remote(keys, progress=progress)
    assert all(file.away for file in found)
    assert (bucket.fetched, progress.expected) == ([], 0)
    fetch([*found[:6], found[0]])
    assert sorted(bucket.fetched) == keys[:6]
    assert bucket.most == places.PARALLEL
    assert [file.path.read_text() for file in found[:6]] == keys[:6]
    assert progress.expected == progress.done == 6 * len(keys[0])
    fetch(found)
    assert sorted(bucket.fetched) == keys


def test_keys_that_no_path_could_hold_do_not_leave_the_scratch_folder(remote, tmp_path):
    keys = ["../../etc/passwd", "a//b", "a/../b", "c/" + "x" * 400 + ".csv"]
    _, found = remote(keys)
    fetch(found)
    assert [file.path.read_text() for file in found] == sorted(keys)
    assert all(tmp_path in file.path.resolve().parents for file in found)


def test_a_download_that_breaks_off_leaves_nothing_and_says_which(remote, tmp_path):
    _, found = remote(["a.csv", "b.csv"], broken=["b.csv"])
    with pytest.raises(InputError, match=r"^b\.csv: came with 4 of 5 bytes"):
        fetch(found)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"a.csv"}


@pytest.mark.parametrize(
    ("prefix", "expected", "alone"),
    [
        ("", ["cur-old/x", "cur.csv", "cur/a", "cur/b/c"], False),
        ("cur", ["cur/a", "cur/b/c"], False),
        ("cur/", ["cur/a", "cur/b/c"], False),
        ("cur.csv", ["cur.csv"], True),
        ("cur*/[ax]", ["cur-old/x", "cur/a"], False),
    ],
)
def test_a_prefix_is_an_object_a_folder_or_a_pattern(prefix, expected, alone):
    entries, named = wanted(Memory(["cur/b/c", "cur/a", "cur-old/x", "cur.csv", "cur/"], prefix))
    assert ([entry.key for entry in entries], named) == (expected, alone)


def test_an_empty_place_is_said():
    with pytest.raises(InputError, match=r"^s3://bucket/nothing: holds nothing"):
        wanted(Memory(["cur/a"], "nothing"))


def test_an_address_is_taken_as_it_is_written():
    assert address_parts("s3://b/a b/BILLING_PERIOD=2026-04/x?y#z%20", "s3") == (
        "b",
        "a b/BILLING_PERIOD=2026-04/x?y#z%20",
    )


def test_a_full_disk_is_named_as_that(tmp_path):
    with pytest.raises(InputError, match=r"^a\.csv: could not be kept on disk"), landing(tmp_path / "a", 1, "a.csv"):
        raise OSError(28, "No space left on device")
    assert not list(Path(tmp_path).iterdir())
