"""Bills in Azure Blob Storage, through azure-storage-blob and azure-identity's own credential chain.

An address is az://container/folder, with the account in AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING, or
az://account.blob.core.windows.net/container/folder.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from providers.storage import Entry, address_parts, landing, refusal
from providers.tables import InputError

ATTEMPTS = 5
SCOPE = "https://storage.azure.com/.default"
LOGIN = "log in (az login, or a managed identity)"
RIGHT = "the role Storage Blob Data Reader on the container"
HERE = "set AZURE_STORAGE_ACCOUNT, or write az://ACCOUNT.blob.core.windows.net/container/folder"


class Bucket:
    """One container, and what the address asks for in it."""

    def __init__(self, address: str) -> None:
        first, rest = address_parts(address, "az")
        host = first if "." in first else None
        self.name, self.prefix = address_parts(f"az://{rest}", "az") if host else (first, rest)
        self.address = f"az://{host}/{self.name}" if host else f"az://{self.name}"
        with _told(self.address):
            self._client: Any = _client(host, self.name, self.address)

    def entries(self, beginning: str) -> list[Entry]:
        """Return the blobs whose names begin so; folders of a hierarchical account are none."""
        with _told(f"{self.address}/{beginning}"):
            blobs = self._client.list_blobs(name_starts_with=beginning or None, include=["metadata"])
            return [_entry(blob) for blob in blobs if (blob.metadata or {}).get("hdi_isfolder") != "true"]

    def download(self, entry: Entry, path: Path, advance: Callable[[int], None]) -> None:
        """Write one blob to a file; what breaks off is continued by the SDK."""
        from azure.core import MatchConditions

        name = f"{self.address}/{entry.key}"
        with landing(path, entry.size, name) as part, _told(name), part.open("wb") as file:
            stream = self._client.download_blob(
                entry.key, etag=entry.etag, match_condition=MatchConditions.IfNotModified
            )
            for chunk in stream.chunks():
                file.write(chunk)
                advance(len(chunk))


def _client(host: str | None, container: str, address: str) -> Any:  # noqa: ANN401 - the SDK's own
    from azure.storage.blob import ContainerClient, ExponentialRetry

    connection = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
    patience = ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=ATTEMPTS - 1)
    if connection and host is None:
        return ContainerClient.from_connection_string(connection, container, retry_policy=patience)
    from azure.identity import DefaultAzureCredential

    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if host is None and not account:
        raise InputError(address, "does not say which storage account it is in", HERE)
    url = f"https://{host or f'{account}.blob.core.windows.net'}"
    credential = DefaultAzureCredential()
    credential.get_token(SCOPE)  # else the SDK tries again and again, with no credentials
    return ContainerClient(url, container, credential=credential, retry_policy=patience)


def _entry(blob: Any) -> Entry:  # noqa: ANN401 - the SDK's own
    return Entry(blob.name, blob.size, f"{blob.last_modified:%Y-%m-%dT%H:%M:%SZ}", blob.etag)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what the SDK raises into what to do about it."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    try:
        yield
    except ClientAuthenticationError as error:
        raise InputError(name, f"needs credentials of Azure ({_first_line(error)})", LOGIN) from None
    except HttpResponseError as error:
        if not error.status_code:
            raise InputError(name, f"broke off ({_first_line(error)})", "check the network, then try again") from None
        raise refusal(name, error.status_code, login=LOGIN, right=RIGHT) from None
    except (AzureError, ValueError) as error:
        problem = f"could not be read ({_first_line(error)})"
        raise InputError(name, problem, "check the network and the account, then try again") from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
