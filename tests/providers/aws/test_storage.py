"""Bills in S3: listed, chosen, and only then fetched, from a real server on loopback."""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from providers.aws.storage import Bucket
from providers.deliveries import choose
from providers.places import fetch, resolve
from providers.storage import Entry
from providers.tables import InputError


def helper(name):
    """Import a module that lies one folder up."""
    spec = spec_from_file_location(name, Path(__file__).parents[1] / f"{name}.py")
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


breaking_server = helper("breaking_server")
moto_server = helper("moto_server")
CUR = "line_item_line_item_type,line_item_unblended_cost\nUsage,{}\n"
FIRST, SECOND = "20260410T010000Z-aaaa", "20260420T010000Z-bbbb"


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as patch, moto_server.s3(patch) as client:
        yield client


@pytest.fixture
def bucket(server, request):
    """A bucket of the test's own, as a function that puts objects into it."""
    name = f"b{abs(hash(request.node.name))}"
    server.create_bucket(Bucket=name)

    def put(key, body):
        server.put_object(Bucket=name, Key=key, Body=body if isinstance(body, bytes) else body.encode())
        return f"s3://{name}/{key}"

    put.address = f"s3://{name}"
    put.name = name
    return put


def deliver(put, execution, parts):
    names = [
        put(f"p/cur/data/BILLING_PERIOD=2026-04/{execution}/cur-{part}.csv", CUR.format(f"{execution} {part}"))
        for part in range(parts)
    ]
    said = {"executionId": "e", "exportArn": "a", "columns": [], "dataFiles": names}
    put(f"p/cur/metadata/BILLING_PERIOD=2026-04/{execution}/cur-Manifest.json", json.dumps(said))
    return names


class Told:
    expected, done = 0, 0

    def expect(self, amount, _):
        self.expected += amount

    def advance(self, amount, _):
        self.done += amount


def test_only_the_newest_delivery_and_the_manifests_are_fetched(bucket, tmp_path):
    old, new = deliver(bucket, FIRST, 2), deliver(bucket, SECOND, 3)
    told = Told()
    found = resolve([f"{bucket.address}/p/cur"], scratch=tmp_path, progress=told)
    (delivery,), _ = choose(found)
    assert [file.name for file in delivery.files] == new
    assert delivery.left_out == tuple(old)
    assert [Path(file.path).read_text().splitlines()[1] for file in delivery.files] == [
        f"Usage,{SECOND} {part}" for part in range(3)
    ]
    here = {file.where for file in found if not file.away}
    assert here == {file.where for file in found} - set(old)
    assert told.expected == told.done == sum(file.size for file in found if file.where in here)


def test_more_objects_than_one_page_are_listed(bucket, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    keys = [f"many/{number:05}" for number in range(10)]
    for key in keys:
        bucket(key, "")
    assert [entry.key for entry in Bucket(f"{bucket.address}/many").entries("many/")] == keys


def test_a_large_object_comes_whole_and_leaves_no_part(bucket, tmp_path):
    body = bytes(range(256)) * 100_000  # 25.6 MB: several pieces
    bucket("big.bin", body)
    told = Told()
    found = resolve([f"{bucket.address}/big.bin"], scratch=tmp_path, progress=told)
    fetch(found)
    assert found[0].path.read_bytes() == body
    assert (found[0].named, told.done, len(list(found[0].path.parent.iterdir()))) == (True, len(body), 1)


@pytest.mark.parametrize("key", ["a b/ü=1/x+y#z?.csv", "%2F%20.csv", "a//b.csv"])
def test_keys_are_taken_as_they_are(bucket, tmp_path, key):
    bucket(key, "x")
    fetch(found := resolve([bucket.address], scratch=tmp_path))
    assert (found[0].where, found[0].path.read_text()) == (f"{bucket.address}/{key}", "x")


def test_a_bucket_that_is_not_there_is_said(server, tmp_path):
    with pytest.raises(InputError, match=r"^s3://nowhere-at-all/x: does not exist; check the address"):
        resolve(["s3://nowhere-at-all/x"], scratch=tmp_path)


def test_an_empty_folder_is_said(bucket, tmp_path):
    with pytest.raises(InputError, match=r"/x: holds nothing"):
        resolve([f"{bucket.address}/x"], scratch=tmp_path)


def test_missing_credentials_say_how_to_log_in(bucket, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match=r"needs credentials of AWS .*; log in \(aws sso login"):
        resolve([bucket.address], scratch=tmp_path)


def test_an_unknown_profile_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(InputError, match="absent"):
        resolve(["s3://b/x"], scratch=tmp_path)


def test_nobody_there_is_said(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "anybody")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setattr("providers.aws.storage.ATTEMPTS", 1)
    with pytest.raises(InputError, match=r"could not be read \(Could not connect"):
        resolve(["s3://b/x"], scratch=tmp_path)


@pytest.mark.parametrize(
    ("code", "status", "problem"),
    [
        ("AccessDenied", 403, "may not be read by you; ask for s3:ListBucket and s3:GetObject"),
        ("ExpiredToken", 400, r"was refused \(ExpiredToken\); log in"),
        ("InvalidObjectState", 403, r"is archived \(Glacier\); restore it first"),
        ("SlowDown", 503, r"could not be read \(status 503\)"),
    ],
)
def test_what_aws_refuses_is_said(bucket, code, status, problem):
    from botocore.stub import Stubber

    place = Bucket(bucket.address)
    with Stubber(place._client) as stub:
        stub.add_client_error("list_objects_v2", code, http_status_code=status)
        with pytest.raises(InputError, match=problem):
            place.entries("")


@pytest.mark.parametrize(("size", "problem"), [(5, "came with 3 of 5 bytes"), (2, "came with 3 of 2 bytes")])
def test_an_object_that_was_replaced_meanwhile_is_not_kept(bucket, tmp_path, size, problem):
    bucket("a.csv", "new")
    path = tmp_path / "a.csv"
    with pytest.raises(InputError, match=rf"/a\.csv: {problem}"):
        Bucket(bucket.address).download(Entry("a.csv", size, "", ""), path, lambda _: None)
    assert not list(tmp_path.iterdir())


def test_an_object_that_has_gone_meanwhile_leaves_nothing(bucket, tmp_path):
    with pytest.raises(InputError, match=r"/gone\.csv: does not exist"):
        Bucket(bucket.address).download(Entry("gone.csv", 5, "", ""), tmp_path / "x", lambda _: None)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def breaking(server, monkeypatch):
    """A server that breaks off as often as it is told to, then serves."""
    with breaking_server.breaking() as http:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{http.server_port}")
        yield http


def test_a_download_that_breaks_off_is_taken_up_again(breaking, tmp_path):
    breaking.breaks = 2
    done = []
    Bucket("s3://b").download(Entry("a", 10, "", ""), tmp_path / "a", done.append)
    assert (tmp_path / "a").read_bytes() == breaking_server.BODY
    assert sum(done) == 10


def test_a_download_that_breaks_off_again_and_again_is_said_and_leaves_nothing(breaking, tmp_path):
    breaking.breaks = 99
    with pytest.raises(InputError, match=r"^s3://b/a: could not be read \("):
        Bucket("s3://b").download(Entry("a", 10, "", ""), tmp_path / "a", lambda _: None)
    assert not list(tmp_path.iterdir())
