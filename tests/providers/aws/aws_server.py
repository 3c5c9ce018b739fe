"""An AWS on loopback: the real SDK asks it in the protocols of EC2, of the price list and of Savings Plans."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import pytest

KEY = "AKIAIOSFODNN7EXAMPLE"


class Asked(NamedTuple):
    """One request: the action, the region it was signed for, and its parameters."""

    action: str
    region: str
    given: dict[str, Any]


class Refused(NamedTuple):
    """An answer that is an error of AWS."""

    code: str
    message: str = "no"
    status: int = 400


Reply = Callable[[Asked], "Mapping[str, Any] | Refused"]


def log_in(monkeypatch: pytest.MonkeyPatch, folder: Path, *, keys: bool = True) -> None:
    """Have boto3 find nothing but these credentials, or none."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(folder / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name, value in (("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "s3cret")):
        if keys:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)


def regions(*names: str) -> dict[str, Any]:
    """Return what DescribeRegions answers."""
    return {"regionInfo": [{"regionName": name} for name in names]}


@contextmanager
def serving(reply: Reply) -> Iterator[tuple[str, list[Asked]]]:
    """Run a server; give its address, and the list in which it keeps what it was asked."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            region = self.headers["Authorization"].partition("Credential=")[2].split("/")[2]
            is_ec2 = "x-www-form-urlencoded" in (self.headers.get("Content-Type") or "")
            if is_ec2:
                given: dict[str, Any] = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                action = given["Action"]
            else:
                given = json.loads(body)
                action = (self.headers.get("X-Amz-Target") or self.path).replace("/", ".").rpartition(".")[2]
            asked.append(Asked(action, region, given))
            answer = reply(asked[-1])
            status = answer.status if isinstance(answer, Refused) else 200
            content = _xml(answer, action) if is_ec2 else _json(answer)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def _json(answer: Mapping[str, Any] | Refused) -> bytes:
    said = {"__type": answer.code, "message": answer.message} if isinstance(answer, Refused) else answer
    return json.dumps(said).encode()


def _xml(answer: Mapping[str, Any] | Refused, action: str) -> bytes:
    if isinstance(answer, Refused):
        error = _element({"Error": {"Code": answer.code, "Message": answer.message}})
        return f"<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>".encode()
    return f"<{action}Response><requestId>r</requestId>{_element(answer)}</{action}Response>".encode()


def _element(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_element(one)}</{name}>" for name, one in value.items())
    if isinstance(value, list):
        return "".join(f"<item>{_element(one)}</item>" for one in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
