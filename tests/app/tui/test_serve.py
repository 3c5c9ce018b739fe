"""The terminal UI in a browser, as `textual serve` shows it: a real server and a real Chromium, both on loopback."""

import asyncio
import base64
import json
import os
import re
import shutil
import socket as sockets
import struct
import sys
import zlib
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SERVER = """
import sys
from textual_serve.server import Server

Server(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2])).serve()
"""
PAINTED = 20  # colours: an empty page and the page that waits have a handful
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


def free_port() -> int:
    with sockets.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@asynccontextmanager
async def running(*command: str, **options: Any):
    program = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, **options
    )
    try:
        yield program
    finally:
        with suppress(ProcessLookupError):
            program.terminate()
        await program.communicate()


@asynccontextmanager
async def page(http: aiohttp.ClientSession, profile: Path, url: str):
    """Open a page in Chromium, and talk to it by its own protocol."""
    arguments = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1300,800")
    async with running(str(CHROMIUM), *arguments, f"--user-data-dir={profile}", url) as chromium:
        told = b""
        while not (found := re.search(rb"ws://127\.0\.0\.1:(\d+)/", told)):
            told += await asyncio.wait_for(chromium.stderr.readline(), 30)
        drain = asyncio.create_task(chromium.stderr.read())
        async with http.get(f"http://127.0.0.1:{found[1].decode()}/json") as listed:
            [target] = [one for one in await listed.json() if one["type"] == "page"]
        async with http.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            yield socket
        chromium.terminate()
        await drain


async def ask(socket: Any, method: str, **parameters: Any) -> dict[str, Any]:
    await socket.send_str(json.dumps({"id": 1, "method": method, "params": parameters}))
    async for message in socket:
        said = json.loads(message.data)
        if said.get("id") == 1:
            return said["result"]
    raise AssertionError("Chromium closed the page")


async def served(http: aiohttp.ClientSession, url: str) -> None:
    for _ in range(300):
        with suppress(aiohttp.ClientError):
            async with http.get(url) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.1)


async def colours(socket: Any) -> tuple[bytes, int]:
    """Return a screenshot, and how many colours it has."""
    shot = base64.b64decode((await ask(socket, "Page.captureScreenshot", format="png"))["data"])
    stream, at, width = b"", 8, 0
    while at < len(shot):
        length, kind = struct.unpack(">I4s", shot[at : at + 8])
        if kind == b"IHDR":
            width = struct.unpack(">I", shot[at + 8 : at + 12])[0]
        if kind == b"IDAT":
            stream += shot[at + 8 : at + 8 + length]
        at += 12 + length
    raw = zlib.decompress(stream)
    return shot, len({raw[place : place + 3] for place in range(1, len(raw), 3 * max(width // 300, 1))})


async def test_a_browser_shows_what_the_terminal_shows(hands: Any, files: Any, tmp_path: Path) -> None:
    asked = hands.asks()
    command = f"{sys.executable} -m app.cli open {asked.usage[0]} --offers {asked.offers[0]} --now 2026-11-21"
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TRANCHE_SESSIONS": str(tmp_path / "s")}
    url = f"http://127.0.0.1:{port}/"
    async with (
        asyncio.timeout(120),
        running(sys.executable, "-c", SERVER, command, str(port), env=environment),
        aiohttp.ClientSession() as http,
    ):
        await served(http, url)
        async with page(http, tmp_path / "profile", url) as socket:
            shot, many = await colours(socket)
            while many < PAINTED:
                await asyncio.sleep(0.2)
                shot, many = await colours(socket)
    (tmp_path / "served.png").write_bytes(shot)  # to look at
    assert many >= PAINTED
