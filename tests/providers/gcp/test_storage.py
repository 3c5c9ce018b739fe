"""Bills in Cloud Storage: listed page by page, fetched piece by piece, from a server on loopback with its API."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from providers.deliveries import choose
from providers.gcp.storage import Bucket
from providers.places import fetch, resolve
from providers.storage import Entry
from providers.tables import InputError

GCP = '{"usage_start_time":"2026-04-01 00:00:00 UTC","cost":1.5,"sku":{"id":"A-1"},"currency":"USD"}\n'
PAGE = 2


class Server(ThreadingHTTPServer):
    """Objects by key; what it is told to do wrong it does so many times."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects, self.breaks, self.statuses, self.asked = {}, 0, [], []

    def put(self, key, body, generation=1):
        self.objects[key] = (body, str(generation))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        where, asked = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        self.server.asked.append((where.path, self.headers.get("Range"), self.headers.get("Authorization")))
        bucket, _, key = where.path.removeprefix("/storage/v1/b/").partition("/o")
        if self.server.statuses:
            self.answer(self.server.statuses.pop(0), b"{}")
        elif bucket != "bills":
            self.answer(404, b"{}")
        elif key:
            self.media(unquote(key[1:]), asked)
        else:
            self.listing(asked)

    def listing(self, asked):
        keys = sorted(key for key in self.server.objects if key.startswith(asked.get("prefix", [""])[0]))
        begin = int(asked.get("pageToken", ["0"])[0])
        items = [
            {"name": key, "size": str(len(body)), "updated": "2026-04-01T10:00:00.123Z", "generation": generation}
            for key, (body, generation) in ((key, self.server.objects[key]) for key in keys[begin : begin + PAGE])
        ]
        said = {"kind": "storage#objects", **({"items": items} if items else {})}
        if begin + PAGE < len(keys):
            said["nextPageToken"] = str(begin + PAGE)
        self.answer(200, json.dumps(said).encode())

    def media(self, key, asked):
        body, generation = self.server.objects.get(key, (b"", None))
        if asked["alt"] != ["media"] or asked["generation"] != [generation]:
            return self.answer(404, b"Not Found")
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        rest = body[begin:]
        if self.server.breaks:
            self.server.breaks -= 1
            return self.answer(206, rest, cut=max(len(rest) // 2, 1))
        return self.answer(206 if "Range" in self.headers else 200, rest)

    def answer(self, status, body, cut=0):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])
        self.close_connection = bool(cut)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("providers.gcp.storage.BACKOFF_S", 0.001)
    with Server() as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{http.server_port}")
        yield http
        http.shutdown()
        thread.join()


def test_what_lies_in_a_folder_is_listed_over_several_pages_and_fetched(server, tmp_path):
    for number in range(5):
        server.put(f"export/part {number:012}.json", GCP.replace("1.5", str(number)).encode())
    server.put("export-old/part.json", b"x")
    (delivery,), _ = choose(resolve(["gs://bills/export"], scratch=tmp_path))
    assert (delivery.kind, len(delivery.files)) == ("gcp_detailed", 5)
    assert sorted(json.loads(Path(file.path).read_text())["cost"] for file in delivery.files) == [0, 1, 2, 3, 4]
    assert delivery.files[0].name == "gs://bills/export/part 000000000000.json"
    assert {authorization for *_, authorization in server.asked} == {None}


@pytest.mark.parametrize("key", ["a b/\u00fc=1/x+y#z?&.csv", "%2F%20.csv", "a//b.csv"])
def test_keys_are_taken_as_they_are(server, tmp_path, key):
    server.put(key, b"x")
    fetch(found := resolve(["gs://bills"], scratch=tmp_path))
    assert (found[0].where, found[0].path.read_text()) == (f"gs://bills/{key}", "x")


@pytest.mark.parametrize("body", [b"", b"1", bytes(range(256)) * 12_000], ids=len)
@pytest.mark.parametrize("breaks", [0, 3])
def test_a_download_that_breaks_off_is_continued_where_it_stopped(server, tmp_path, body, breaks):
    server.put("a.bin", body)
    server.breaks = breaks if body else 0
    done = []
    (entry,) = Bucket("gs://bills").entries("")
    Bucket("gs://bills").download(entry, tmp_path / "a", done.append)
    assert (tmp_path / "a").read_bytes() == body
    assert (sum(done), len(list(tmp_path.iterdir()))) == (len(body), 1)


def test_a_download_that_breaks_off_again_and_again_is_said_and_leaves_nothing(server, tmp_path):
    server.put("a.bin", bytes(10_000))
    server.breaks = 99
    with pytest.raises(InputError, match=r"^gs://bills/a\.bin: (could not be read|came with)"):
        fetch(resolve(["gs://bills/a.bin"], scratch=tmp_path))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_object_that_was_replaced_meanwhile_is_not_mixed(server, tmp_path):
    server.put("a.csv", b"old")
    found = resolve(["gs://bills/a.csv"], scratch=tmp_path)
    server.put("a.csv", b"new", generation=2)
    with pytest.raises(InputError, match=r"a\.csv: does not exist"):
        fetch(found)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("passing", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(server, passing):
    server.put("a.csv", b"x")
    server.statuses = [passing, passing]
    assert [entry.key for entry in Bucket("gs://bills").entries("")] == ["a.csv"]


@pytest.mark.parametrize(
    ("statuses", "problem"),
    [
        ([401], r"wants to know who asks; log in \(gcloud auth application-default login"),
        ([403], "may not be read by you; ask for storage.objects.list"),
        ([503] * 9, r"could not be read \(status 503\); try again later"),
    ],
)
def test_what_google_refuses_is_said(server, tmp_path, statuses, problem):
    server.statuses = statuses
    with pytest.raises(InputError, match=rf"^gs://bills/x: {problem}"):
        resolve(["gs://bills/x"], scratch=tmp_path)


def test_a_bucket_that_is_not_there_is_said(server, tmp_path):
    with pytest.raises(InputError, match=r"^gs://nowhere/x: does not exist; check the address"):
        resolve(["gs://nowhere/x"], scratch=tmp_path)


def test_nobody_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:9")
    with pytest.raises(InputError, match=r"could not be read \(.*check the network"):
        resolve(["gs://bills"], scratch=tmp_path)


def test_missing_credentials_say_how_to_log_in(monkeypatch, tmp_path):
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # asks nobody over the network
    with pytest.raises(
        InputError, match=r"needs credentials of Google Cloud .*; log in \(gcloud auth application-default"
    ):
        resolve(["gs://bills"], scratch=tmp_path)


def test_a_login_is_what_the_server_is_shown(server, monkeypatch):
    """The session that google-auth makes is used: its token reaches the server."""
    import google.auth
    from google.oauth2.credentials import Credentials

    host = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setattr("providers.gcp.storage.HOST", host)
    monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials("token"), None))
    server.put("a.csv", b"x")
    (entry,) = Bucket("gs://bills").entries("")
    assert entry == Entry("a.csv", 1, "2026-04-01T10:00:00Z", "1")
    assert server.asked[-1][-1] == "Bearer token"
