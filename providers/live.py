"""Ask a server over HTTP, with credentials that never leave it: not in an error, not in a file, not to another host."""

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse, IncompleteRead
from math import inf
from time import monotonic
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from providers.tables import InputError

TIMEOUT_S = 60.0
LARGEST_BYTES = 1 << 28
"""What one answer may come to."""
_SHOWN = 200  # characters of what a server says that a message repeats
_SAID_BYTES = 1 << 16  # what is read of an answer that is an error
_CHUNK_BYTES = 1 << 16
_END: ContextVar[float | None] = ContextVar("end", default=None)  # of the time for all questions, as `monotonic` counts


class SilentError(InputError):
    """A server that gave no whole answer in the time that it had."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give all questions of this block so much time together, however slowly a server speaks.

    Raises:
        SilentError: of a question, once the time is over.
    """
    token = _END.set(monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server: `name` is its address without credentials, `token` the environment variable that holds its token."""

    name: str
    token: str
    authorization: str | None = field(default=None, repr=False)
    timeout_s: float = TIMEOUT_S

    def ask(self, path: str, parameters: Mapping[str, str]) -> Answer:
        """Return the answer to a GET, whatever its status.

        Raises:
            InputError: nobody answers in time, access is denied, or the server sends us elsewhere.
        """
        request = Request(f"{self.name}{path}?{urlencode(parameters)}", headers={"Accept": "application/json"})  # noqa: S310 - http(s) only, see `server`
        if self.authorization:
            request.add_unredirected_header("Authorization", self.authorization)
        answer = self._sent(request)
        if answer.status in (401, 403):
            remedy = f"set {self.token} to a valid token, or write user:password@ before the host"
            raise InputError(self.name, f"denies access ({answer.status})", remedy)
        if 300 <= answer.status < 400:
            raise InputError(
                self.name, f"sends its callers elsewhere ({answer.status})", "give the address it sends to"
            )
        return answer

    def refused(self, answer: Answer, said: str, remedy: str) -> InputError:
        """Return the error of an answer that is of no use."""
        reason = " ".join(said.split())[:_SHOWN]
        return InputError(self.name, f"answers {answer.status}" + (f" ({reason})" if reason else ""), remedy)

    def _sent(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except TimeoutError:
            raise self._silent() from None
        except IncompleteRead:
            raise InputError(self.name, "broke off in the middle of its answer", "try later") from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, TimeoutError):
                raise self._silent() from None
            text = getattr(reason, "strerror", None) or type(reason).__name__
            raise InputError(self.name, f"cannot be reached ({text})", "check the address, and that it runs") from None

    def _answer(self, request: Request) -> Answer:
        try:
            with build_opener(_Stay).open(request, timeout=min(self.timeout_s, _left_s())) as response:
                return Answer(status=response.status, body=self._whole(response))
        except HTTPError as error:
            with error:
                return Answer(status=error.code, body=b"".join(_read(error, _SAID_BYTES)))

    def _whole(self, response: HTTPResponse) -> bytes:
        body = b"".join(_read(response, LARGEST_BYTES + 1))
        if len(body) > LARGEST_BYTES:
            problem = f"answers with more than {LARGEST_BYTES >> 20} MiB"
            raise InputError(self.name, problem, "check that it is the right address, or ask for a shorter --window")
        if response.length:
            raise IncompleteRead(body, response.length)
        return body

    def _silent(self) -> SilentError:
        return SilentError(
            self.name, f"gave no answer in {self.timeout_s:g} s", "ask for a shorter --window, or try later"
        )


def server(url: str, *, token: str, timeout_s: float = TIMEOUT_S) -> Server:
    """Return the server at an address, which may hold user:password@; a token in the environment goes first.

    Raises:
        InputError: it is no http address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if parts.scheme not in ("http", "https") or not host:
        raise InputError("the address of a server", "is no http address", "write it as http://HOST:PORT")
    place = f"[{host}]" if ":" in host else host
    name = f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    return Server(name=name, token=token, authorization=_authorization(parts, token), timeout_s=timeout_s)


def _left_s() -> float:
    """Return the time that is left for all questions.

    Raises:
        TimeoutError: none is.
    """
    end = _END.get()
    left = inf if end is None else end - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _read(response: HTTPResponse | HTTPError, most: int) -> Iterator[bytes]:
    """Return what comes, piece by piece, as long as there is time, and about `most` bytes of it."""
    while most > 0 and (chunk := response.read1(min(_CHUNK_BYTES, most))):
        yield chunk
        most -= len(chunk)
        _left_s()


class _Stay(HTTPRedirectHandler):
    """Follows nobody: credentials and questions are for the server that was named."""

    def redirect_request(self, *_: object) -> None:
        """Return nothing, so that the redirection itself is the answer."""


def _authorization(parts: SplitResult, token: str) -> str | None:
    bearer = os.environ.get(token, "").strip()
    if bearer:
        return f"Bearer {bearer}"
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
