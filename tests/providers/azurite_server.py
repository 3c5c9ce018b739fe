"""Azure Blob Storage on loopback, by Azurite: an npm package, found by AZURITE or on PATH, else the test is skipped."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # Azurite's own
WAIT_S = 30


@contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """Run a server whose log goes to the folder, and give its connection string."""
    command = os.environ.get("AZURITE") or shutil.which("azurite-blob")
    if command is None:
        absent = pytest.fail if os.environ.get("TRANCHE_TEST_SERVERS") == "required" else pytest.skip
        absent("no azurite-blob on PATH and no AZURITE: npm install azurite@3.35.0")
    port = _free_port()
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    where = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with (folder / "azurite.log").open("wb") as log:
        process = subprocess.Popen([command, *where, *options], cwd=folder, stdout=log, stderr=log)
        try:
            _wait(port, process, folder / "azurite.log")
            endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
            yield f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
        finally:
            process.terminate()
            process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(WAIT_S * 10):
        if process.poll() is not None:
            pytest.fail(f"azurite stopped at once: {log.read_text()[-500:]}")
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"azurite was not ready in {WAIT_S} s")
