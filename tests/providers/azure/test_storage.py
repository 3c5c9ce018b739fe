"""Bills in Azure Blob Storage: listed, chosen, and only then fetched, from Azurite on loopback."""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from providers.azure.storage import Bucket
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


azurite_server = helper("azurite_server")
breaking_server = helper("breaking_server")
AZURE = "MeterCategory,AdditionalInfo,ChargeType,PricingModel,Cost\nVirtual Machines,,Usage,OnDemand,{}\n"


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with azurite_server.azurite(tmp_path_factory.mktemp("azurite")) as connection:
        yield connection


@pytest.fixture
def container(connection, request, monkeypatch):
    """A container of the test's own, as a function that puts blobs into it."""
    from azure.storage.blob import ContainerClient

    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    name = f"c{abs(hash(request.node.name))}"
    with ContainerClient.from_connection_string(connection, name) as client:
        client.create_container()

        def put(key, body, **more):
            client.upload_blob(key, body, overwrite=True, **more)
            return key

        put.address = f"az://{name}"
        yield put


def deliver(put, run, submitted, parts):
    names = [
        put(f"root/daily/20260401-20260430/{run}/part_{part}_0001.csv", AZURE.format(f"{run}{part}"))
        for part in range(parts)
    ]
    said = {
        "exportConfig": {"exportName": "daily", "resourceId": "/subscriptions/1", "type": "AmortizedCost"},
        "runInfo": {"submittedTime": submitted, "startDate": "2026-04-01T00:00:00", "endDate": "2026-04-30T00:00:00"},
        "blobCount": parts,
        "blobs": [
            {"blobName": name, "byteCount": len(AZURE.format(f"{run}{part}"))} for part, name in enumerate(names)
        ],
    }
    put(f"root/daily/20260401-20260430/{run}/manifest.json", json.dumps(said))
    return [f"{put.address}/{name}" for name in names]


def test_only_the_newest_run_and_the_manifests_are_fetched(container, tmp_path):
    old = deliver(container, "9", "2026-04-10T08:00:00Z", 2)
    new = deliver(container, "1", "2026-04-11T08:00:00Z", 3)
    found = resolve([f"{container.address}/root"], scratch=tmp_path)
    (delivery,), told = choose(found)
    assert (delivery.kind, [file.name for file in delivery.files]) == ("azure_amortized", new)
    assert [Path(file.path).read_text() for file in delivery.files] == [AZURE.format(f"1{part}") for part in range(3)]
    assert [file.where for file in found if file.away] == old
    assert [one.code for one in told] == ["left-out"]


def test_a_large_blob_comes_whole_and_says_how_far_it_is(container, tmp_path):
    body = bytes(range(256)) * 160_000  # 41 MB: several pieces
    container("big.bin", body)
    (entry,) = Bucket(container.address).entries("")
    done = []
    Bucket(container.address).download(entry, tmp_path / "big", done.append)
    assert (tmp_path / "big").read_bytes() == body
    assert (sum(done), len(done) > 1, len(list(tmp_path.iterdir()))) == (len(body), True, 1)


def test_folders_of_a_hierarchical_account_are_no_blobs(container):
    container("root/folder", b"", metadata={"hdi_isfolder": "true"})
    container("root/folder/a.csv", b"x", metadata={"by": "somebody"})
    assert [entry.key for entry in Bucket(container.address).entries("root/")] == ["root/folder/a.csv"]


@pytest.mark.parametrize("key", ["a b/\u00fc=1/x+y#z?.csv", "%2F%20.csv"])
def test_names_are_taken_as_they_are(container, tmp_path, key):
    container(key, b"x")
    fetch(found := resolve([container.address], scratch=tmp_path))
    assert (found[0].where, found[0].path.read_text()) == (f"{container.address}/{key}", "x")


def test_a_blob_that_was_replaced_meanwhile_is_not_kept(container, tmp_path):
    container("a.csv", b"old")
    (entry,) = Bucket(container.address).entries("")
    container("a.csv", b"new")
    with pytest.raises(InputError, match=r"/a\.csv: was replaced while it was read; run again"):
        Bucket(container.address).download(entry, tmp_path / "a.csv", lambda _: None)
    assert not list(tmp_path.iterdir())


def test_a_blob_that_has_gone_meanwhile_leaves_nothing(container, tmp_path):
    with pytest.raises(InputError, match=r"/gone\.csv: (does not exist|was replaced)"):
        Bucket(container.address).download(Entry("gone.csv", 5, "", "e"), tmp_path / "x", lambda _: None)
    assert not list(tmp_path.iterdir())


def test_a_container_that_is_not_there_is_said(connection, monkeypatch, tmp_path):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    with pytest.raises(InputError, match=r"^az://nowhere/x: does not exist; check the address"):
        resolve(["az://nowhere/x"], scratch=tmp_path)


def test_a_wrong_key_is_said(connection, monkeypatch, tmp_path):
    wrong = connection.replace(azurite_server.KEY, "d3Jvbmc=")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
    with pytest.raises(
        InputError, match=r"^az://bills/x: (may not be read by you|needs credentials of Azure).*az login"
    ):
        resolve(["az://bills/x"], scratch=tmp_path)


def test_a_connection_string_that_is_none_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "nonsense")
    with pytest.raises(InputError, match=r"^az://bills: could not be read \(.*check the network and the account"):
        resolve(["az://bills/x"], scratch=tmp_path)


def test_an_address_without_an_account_is_said(monkeypatch, tmp_path):
    for name in ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="does not say which storage account it is in; set AZURE_STORAGE_ACCOUNT"):
        resolve(["az://bills/x"], scratch=tmp_path)


@pytest.mark.parametrize(
    ("address", "account", "url"),
    [
        ("az://bills/root", "acme", "https://acme.blob.core.windows.net/bills"),
        ("az://acme.blob.core.windows.net/bills/root", None, "https://acme.blob.core.windows.net/bills"),
        ("az://acme.blob.core.usgovcloudapi.net/bills/root", "other", "https://acme.blob.core.usgovcloudapi.net/bills"),
    ],
)
def test_an_address_or_the_environment_names_the_account(monkeypatch, address, account, url):
    from azure.identity import DefaultAzureCredential

    monkeypatch.setattr(DefaultAzureCredential, "get_token", lambda *_: None)  # nobody is asked
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", account or "")
    place = Bucket(address)
    assert (place._client.url, place.prefix, place.name) == (url, "root", "bills")


def test_missing_credentials_say_how_to_log_in(monkeypatch, tmp_path):
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # asks nobody over the network
    with pytest.raises(InputError, match=r"needs credentials of Azure .*; log in \(az login"):
        resolve(["az://acme.blob.core.windows.net/bills"], scratch=tmp_path)


@pytest.fixture
def breaking(monkeypatch):
    """A server that breaks off as often as it is told to, then serves."""
    monkeypatch.setattr("time.sleep", lambda _: None)  # the SDK waits for seconds before it tries again
    with breaking_server.breaking() as http:
        endpoint = f"http://127.0.0.1:{http.server_port}/acme"
        account = f"AccountName=acme;AccountKey={azurite_server.KEY};BlobEndpoint={endpoint};"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account)
        yield http


def test_a_download_that_breaks_off_is_taken_up_again(breaking, tmp_path):
    breaking.breaks = 2
    done = []
    Bucket("az://bills").download(Entry("a", 10, "", '"e"'), tmp_path / "a", done.append)
    assert (tmp_path / "a").read_bytes() == breaking_server.BODY
    assert sum(done) == 10


def test_a_download_that_breaks_off_again_and_again_is_said_and_leaves_nothing(breaking, tmp_path):
    breaking.breaks = 99
    with pytest.raises(InputError, match=r"^az://bills/a: (broke off|could not be read)"):
        Bucket("az://bills").download(Entry("a", 10, "", '"e"'), tmp_path / "a", lambda _: None)
    assert not list(tmp_path.iterdir())
