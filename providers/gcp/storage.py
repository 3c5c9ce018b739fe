"""Bills in Cloud Storage, through its JSON API and google-auth; STORAGE_EMULATOR_HOST names another server.

The client library would bring two more packages for what is one list and one download.
"""

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import quote

from providers.storage import Entry, address_parts, landing, refusal
from providers.tables import InputError

HOST = "https://storage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
LOGIN = "log in (gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS)"
RIGHT = "storage.objects.list and storage.objects.get"
FIELDS = "nextPageToken,items(name,size,updated,generation)"
TIMEOUT_S = (10, 60)
ATTEMPTS = 5
BACKOFF_S = 0.5
CHUNK_BYTES = 1 << 20
PASSING = (408, 429, 500, 502, 503, 504)
"""Status codes that are worth another try."""


class Bucket:
    """One bucket, and what the address asks for in it."""

    def __init__(self, address: str) -> None:
        self.name, self.prefix = address_parts(address, "gs")
        self.address = f"gs://{self.name}"
        with _told(self.address):
            self._host, self._session = _session()
        weakref.finalize(self, self._session.close)

    def entries(self, beginning: str) -> list[Entry]:
        """Return the objects whose keys begin so, by key."""
        asked = {"prefix": beginning, "fields": FIELDS}
        found: list[Entry] = []
        while True:
            with _told(f"{self.address}/{beginning}"):
                said = self._get(f"{self._host}/storage/v1/b/{quote(self.name, safe='')}/o", params=asked).json()
            found += [_entry(one) for one in said.get("items", ())]
            if not said.get("nextPageToken"):
                return found
            asked["pageToken"] = said["nextPageToken"]

    def download(self, entry: Entry, path: Path, advance: Callable[[int], None]) -> None:
        """Write one object to a file; what breaks off is continued where it stopped."""
        name = f"{self.address}/{entry.key}"
        with landing(path, entry.size, name) as part, _told(name), part.open("wb") as file:
            for attempt in range(ATTEMPTS):
                try:
                    self._append(entry, file, advance)
                except _broken_off():
                    if attempt == ATTEMPTS - 1:
                        raise
                if file.tell() >= entry.size:
                    break
                sleep(BACKOFF_S * 2**attempt)

    def _append(self, entry: Entry, file: Any, advance: Callable[[int], None]) -> None:  # noqa: ANN401 - a binary file
        """Add to the file what it does not hold yet, byte for byte as it is stored."""
        headers = {"Accept-Encoding": "gzip", "Range": f"bytes={file.tell()}-"}
        where = f"{self._host}/storage/v1/b/{quote(self.name, safe='')}/o/{quote(entry.key, safe='')}"
        asked = {"alt": "media", "generation": entry.etag}
        with self._get(where, params=asked, headers=headers if entry.size else {}, stream=True) as answer:
            for chunk in answer.raw.stream(CHUNK_BYTES, decode_content=False):
                file.write(chunk)
                advance(len(chunk))

    def _get(self, where: str, **asked: Any) -> Any:  # noqa: ANN401 - what requests takes and gives
        answer = self._session.get(where, timeout=TIMEOUT_S, **asked)
        for attempt in range(ATTEMPTS - 1):
            if answer.status_code not in PASSING:
                break
            answer.close()
            sleep(BACKOFF_S * 2**attempt)
            answer = self._session.get(where, timeout=TIMEOUT_S, **asked)
        if not answer.ok:
            answer.close()
        answer.raise_for_status()
        return answer


def _session() -> tuple[str, Any]:
    """Return the server and a session that has the credentials for it; an emulator gets none."""
    import requests

    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        return (emulator if "://" in emulator else f"http://{emulator}").rstrip("/"), requests.Session()
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    credentials, _ = google.auth.default(scopes=[SCOPE])
    return HOST, AuthorizedSession(credentials)  # type: ignore[no-untyped-call]


def _entry(one: dict[str, Any]) -> Entry:
    return Entry(one["name"], int(one["size"]), f"{one['updated'][:19]}Z", str(one["generation"]))


def _broken_off() -> tuple[type[Exception], ...]:
    import requests
    import urllib3

    return (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what google-auth and requests raise into what to do about it."""
    import requests
    import urllib3
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except GoogleAuthError as error:
        reason = str(error).splitlines()[0]
        raise InputError(name, f"needs credentials of Google Cloud ({reason})", LOGIN) from None
    except requests.HTTPError as error:
        status = 0 if error.response is None else error.response.status_code
        raise refusal(name, status, login=LOGIN, right=RIGHT) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise InputError(name, f"could not be read ({error})", "check the network, then try again") from None
