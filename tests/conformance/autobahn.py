"""Autobahn's fuzzing server against our receive path: `tox run -e conformance`.

The file's name keeps it out of an ordinary run.  The fuzzing server is Python 2.7 code; the
interpreter is taken from `QEHOST_TEST_PYTHON27`, the path, or pyenv, and without one everything is
skipped.  The server is installed from PyPI once, into `QEHOST_TEST_CACHE` or the user's cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
import pytest
from websocket import ABNF

from qehost.connection.stream import Stream, open_stream
from qehost.errors import ConnectError, ConnectionLost
from qehost.network.dial import tls_context

pytestmark = pytest.mark.timeout(600)

SUITE = "autobahntestsuite==25.10.1"
AGENT = "qehost"
SUITES = ["1", "2", "3", "4", "5", "6", "7", "9", "10"]  # 12 and 13 are compression

INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
"""Cases that only report what a client does; the rest has a right outcome."""

PYTHON27_ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def python27() -> str | None:
    """The path of a Python 2.7 that works."""
    named = os.environ.get("QEHOST_TEST_PYTHON27")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which("python2.7")
    found: list[str | Path] = [*filter(None, [named or on_path])]
    if not named:
        found += pyenv.glob("2.7*/bin/python2.7")
    for path in found:
        # A shim of pyenv is on the path even where its version is not selected.
        run = subprocess.run(
            [path, "-c", "import sys; print(sys.version_info[:2] == (2, 7))"],
            capture_output=True,
            env=PYTHON27_ENVIRONMENT,
            check=False,
        )
        if run.stdout.strip() == b"True":
            return str(path)
    return None


def install(python: str) -> Path:
    """The folder that holds the fuzzing server, installed if it is not there."""
    cache = os.environ.get("QEHOST_TEST_CACHE") or platformdirs.user_cache_path("qehost-tests")
    folder = Path(cache) / SUITE.replace("==", "-")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            site = Path(unfinished) / "site"
            subprocess.run(
                [python, "-m", "pip", "install", "-q", "--target", str(site), SUITE],
                check=True,
                env=PYTHON27_ENVIRONMENT,
            )
            # pip's --target leaves zope without the file that makes it a package.
            (site / "zope" / "__init__.py").touch()
            with contextlib.suppress(OSError):  # another run may have been faster
                site.rename(folder)
    return folder


def wait_for(stream: Stream) -> None:
    if not stream.pending():
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            assert selector.select(60), "the fuzzing server says nothing"


def converse(url: str, *, echo: bool) -> str:
    """Send back whatever comes, if `echo`; return the last text when the connection has ended."""
    stream = open_stream(
        url,
        timeout=20,
        tls=tls_context(),
        proxy="none",
        max_message=32 * 2**20,
        send_timeout=60,
    )
    last = ""
    try:
        while True:
            wait_for(stream)
            for item in stream.receive():
                if isinstance(item, str):
                    last = item
                    if echo:
                        stream.send_text(item)
                elif isinstance(item, bytes) and echo:
                    # The product has nothing to say in bytes, so it has no method for it.
                    stream._send(item, ABNF.OPCODE_BINARY, timeout=60)
    except ConnectionLost:
        stream.close(timeout=5)
    return last


class Server(NamedTuple):
    url: str
    reports: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = python27()
    if python is None:
        pytest.skip("there is no Python 2.7: name one in QEHOST_TEST_PYTHON27")
    site = install(python)
    folder = tmp_path_factory.mktemp("autobahn")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = Server(f"ws://127.0.0.1:{port}", folder / "reports")
    specification = {
        "url": running.url,
        "outdir": str(running.reports),
        "cases": [f"{suite}.*" for suite in SUITES],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(specification), encoding="utf-8")
    start = "from autobahntestsuite.wstest import run; run()"
    arguments = ["-m", "fuzzingserver", "--webport", "0", "-s", "spec.json"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-c", start, *arguments],
            cwd=folder,
            env={**PYTHON27_ENVIRONMENT, "PYTHONPATH": str(site)},
            stdout=log,
            stderr=log,
        )
    try:
        wait_until_up(running.url, process, folder / "log")
        yield running
    finally:
        process.terminate()
        process.wait(10)


def wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            converse(f"{url}/getCaseCount", echo=False)
            return
        except ConnectError:
            text = log.read_text("utf-8", "replace")
            assert process.poll() is None, f"the fuzzing server ended:\n{text}"
            assert time.monotonic() < deadline, f"the fuzzing server is not up:\n{text}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def results(server: Server) -> dict[str, dict[str, Any]]:
    """What the server says of every case, by the case's number."""
    count = int(converse(f"{server.url}/getCaseCount", echo=False))
    for case in range(1, count + 1):
        converse(f"{server.url}/runCase?case={case}&agent={AGENT}", echo=True)
    converse(f"{server.url}/updateReports?agent={AGENT}", echo=False)
    index = json.loads((server.reports / "index.json").read_text("utf-8"))[AGENT]
    assert len(index) == count
    return index  # type: ignore[no-any-return]


@pytest.mark.parametrize("suite", SUITES)
def test_every_case_of_the_suite_behaves_as_it_should(
    results: dict[str, dict[str, Any]], suite: str
) -> None:
    ours = {case: found for case, found in results.items() if case.split(".")[0] == suite}
    assert ours
    wrong = {
        case: (found["behavior"], found["behaviorClose"])
        for case, found in ours.items()
        if found["behavior"] != ("INFORMATIONAL" if case in INFORMATIONAL else "OK")
        or found["behaviorClose"] not in ("OK", "INFORMATIONAL")
    }
    assert not wrong
