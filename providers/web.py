"""JSON over HTTP: retries, and errors that say who did not answer what."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from providers.tables import InputError

TRIES, CONNECT_TRIES, BACKOFF_S, TIMEOUT_S = 5, 2, 0.5, (10, 60)
AGAIN = (429, 500, 502, 503, 504)
REFUSED = {401: "check that the key is right and has not expired", 403: "check what the key may read"}


class Web:
    """A session with one seller; it waits and tries again where it is told to, and never shows a query or a key.

    With headers of its own, which may hold a key, it goes nowhere else than it was sent.
    """

    def __init__(self, seller: str, *, headers: Mapping[str, str] | None = None, backoff_s: float = BACKOFF_S) -> None:
        self._seller = seller
        self._roams = not headers
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "tranche", **(headers or {})})
        retry = Retry(
            total=TRIES,
            connect=CONNECT_TRIES,  # where there is no network, waiting helps nobody
            backoff_factor=backoff_s,
            status_forcelist=AGAIN,
            allowed_methods=None,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at an address.

        Raises:
            InputError: nobody answers, or not with JSON, or refuses.
        """
        return self._ask("GET", url, params=params)

    def post(self, url: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Send JSON, and return the JSON that comes back.

        Raises:
            InputError: as `get` does.
        """
        return self._ask("POST", url, json=body)

    def text(self, url: str) -> str:
        """Return the text at an address.

        Raises:
            InputError: as `get` does.
        """
        return self._send("GET", url).text

    def _ask(self, method: str, url: str, **more: Any) -> Any:  # noqa: ANN401
        answer = self._send(method, url, **more)
        try:
            return answer.json()
        except requests.exceptions.JSONDecodeError:
            raise self._error(url, "answers something that is no JSON", "try again later") from None

    def _send(self, method: str, url: str, **more: Any) -> requests.Response:  # noqa: ANN401
        try:
            answer = self._session.request(method, url, timeout=TIMEOUT_S, allow_redirects=self._roams, **more)
        except requests.exceptions.RetryError:
            raise self._error(url, f"does not answer after {TRIES} more tries", "try again later") from None
        except requests.exceptions.RequestException as error:
            raise self._error(url, f"cannot be reached ({type(error).__name__})", "check the network") from None
        if not answer.ok or answer.is_redirect:
            remedy = REFUSED.get(answer.status_code, "try again later, or with a newer version of tranche")
            raise self._error(url, f"answers {answer.status_code} {answer.reason}", remedy)
        return answer

    def _error(self, url: str, problem: str, remedy: str) -> InputError:
        place = urlsplit(url)
        return InputError(f"{self._seller} ({place.netloc}{place.path})", problem, remedy)
