"""The stream: one frame for all, and what a slow client costs."""

import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import wait_for
from lives import day, refused, source, working

from qehost_dashboard.broadcast import Broadcast

CLIENTS = int(os.environ.get("QEHOST_TEST_DASHBOARD_CLIENTS", "150"))
"""All but one of them don't read; the promise is about 1,000."""


class Client:
    """Reads a stream."""

    def __init__(self, served, receive_buffer=0):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", served.port))
        head = f"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n"
        self.socket.sendall(head.encode())
        self.file = self.socket.makefile("rb")

    def frames(self):
        """Until the stream ends."""
        data = b""
        for line in self.file:
            # The pieces of a chunked answer: each behind a line with its length.
            if line.startswith(b"data: ") or data:
                data += line
            if data.endswith((b"}\r\n", b"}\n")):
                text = data.removeprefix(b"data: ")
                data = b""
                yield json.loads(text)

    def status(self):
        return self.file.readline().decode().strip()

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def client():
    with ExitStack() as stack:

        def connect(served, **options):
            made = Client(served, **options)
            stack.callback(made.close)
            return made

        yield connect


def test_the_first_frame_is_the_whole_state_and_the_others_follow_without_a_gap(serve, client):
    served = serve()
    frames = client(served).frames()
    first = next(frames)
    assert first["whole"]
    assert first["accounts"] == ["main"]
    events = source()
    served.deliver(*working(events, "mo-1"))
    rows, number = {}, first["n"]
    while "mo-1" not in rows:
        frame = next(frames)
        assert frame["n"] == number + 1
        assert frame["boot"] == first["boot"]
        number = frame["n"]
        rows |= {row["id"]: row for row in frame.get("changes", {}).get("masters", [])}
    assert rows["mo-1"]["filled"] == "0.6"


def test_an_idle_stream_is_heard_all_the_same(serve, client):
    frames = client(serve()).frames()
    times = [next(frames)["now"] for _ in range(4)]
    assert times == sorted(times)


def test_beyond_the_bound_a_stream_is_refused_until_one_ends(serve, client):
    served = serve({"clients": 2})
    ends = [client(served) for _ in range(2)]
    for each in ends:
        next(each.frames())
    refused = client(served)
    assert refused.status() == "HTTP/1.1 503 Service Unavailable"
    ends[0].close()
    wait_for(lambda: client(served).status().endswith("200 OK"), "a place")


def run(coroutine):
    # In a thread of its own: the browser's driver keeps a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def test_one_that_is_behind_gets_the_whole_state_in_place_of_what_it_missed():
    async def scenario():
        broadcast = Broadcast(5, lambda: b"whole")
        slow, fast = broadcast.join(), broadcast.join()
        got = [await slow.next(), await fast.next()]
        for frame in (b"1", b"2", b"3", b"4"):
            broadcast.send(frame)
            got.append(await fast.next())
        assert got == [b"whole", b"whole", b"1", b"2", b"3", b"4"]
        assert await slow.next() == b"whole"
        broadcast.send(b"5")
        assert await slow.next() == b"5"
        broadcast.end()
        assert await slow.next() is None
        assert broadcast.join() is None

    run(scenario())


def memory():
    """Bytes that are resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_clients_that_do_not_read_cost_no_hook_and_little_memory(serve, client):
    served = serve({"clients": 1000}, history=day())
    served.state_when(lambda state: state["changes"].get("masters"))
    before = memory()
    clients = [client(served, receive_buffer=4096) for _ in range(CLIENTS - 1)]
    for each in clients:
        assert each.status() == "HTTP/1.1 200 OK"
    events = source()
    events = [*working(events, "mo-9"), *(refused(events, "mo-9", number=n) for n in range(300))]
    plugin, spent = served.host.plugin, []
    for number, event in enumerate(events):
        begun = time.thread_time()
        plugin.on_batch((event,))
        spent.append(time.thread_time() - begun)
        if number % 20 == 0:
            time.sleep(0.05)
    # Its own time, since what others do meanwhile says more about the machine.
    assert statistics.median(spent) < 0.001
    reading = client(served)
    rows = next(reading.frames())["changes"]["masters"]
    assert rows
    grown, hook = memory() - before, statistics.median(spent)
    print(f"{CLIENTS} clients: {grown / 1e6:.1f} MB, a hook {hook * 1e6:.0f} us")
    assert grown < 100e6 * max(0.3, CLIENTS / 1000)


ENDING = """
import socket, threading, time
from qehost.testing import PluginHost
from qehost_dashboard import Dashboard

with PluginHost(Dashboard, {"port": 0}) as host:
    clients = []
    for number in range(40):
        each = socket.create_connection(("127.0.0.1", host.plugin.port))
        each.sendall(b"GET /api/stream HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
        each.recv(10)
        clients.append(each)
    idle = socket.create_connection(("127.0.0.1", host.plugin.port))
    half = socket.create_connection(("127.0.0.1", host.plugin.port))
    half.sendall(b"POST /login HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nContent-Length: 9\\r\\n\\r\\n{")
    port = host.plugin.port
    begun = time.monotonic()
    host.stop("the test is over")
    print(time.monotonic() - begun)
until = time.monotonic() + 60
while any(thread.name == "qehost-dashboard" for thread in threading.enumerate()):
    assert time.monotonic() < until, threading.enumerate()
    time.sleep(0.01)
for each in (*clients, idle, half):
    each.close()
socket.create_server(("127.0.0.1", port)).close()
"""


def test_the_end_is_silent_and_soon_whoever_is_connected():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ENDING],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    print(f"the end took {float(done.stdout):.2f} s")


def test_a_port_that_is_taken_is_told_and_tried_again(serve, plugin_host):
    from qehost_dashboard import Dashboard

    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    host = plugin_host(Dashboard, {"port": port}, raises=False)
    (error,) = host.errors
    assert f"the page can't be served at 127.0.0.1:{port}" in str(error)
    assert "in use" in str(error)
    taken.close()


def test_qehost_check_says_whether_it_can_be_served(serve):
    served = serve()
    config, context = served.host.config, served.host.context
    assert "can be listened on" in config.check(context)
    own = type(config)(port=served.port)
    assert "already" in own.check(context)
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.1)
        from qehost.errors import Error

        with pytest.raises(Error, match="can't be listened on"):
            type(config)(port=other.getsockname()[1]).check(context)


def test_an_inbox_that_is_full_waits_and_loses_nothing(serve):
    served = serve()
    plugin = served.host.plugin
    events = working(source(), "mo-1")
    plugin._inbox.extend(events * 5000)
    served.deliver(*events)
    if served.host.waiting:
        wait_for(lambda: len(plugin._inbox) < 20_000, "room")
        served.host.retry()
    served.state_when(lambda state: state["changes"].get("masters"))
