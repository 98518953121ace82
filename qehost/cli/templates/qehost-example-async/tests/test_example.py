"""The plugin, called as qehost calls it, with a receiver that listens."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from qehost.errors import PluginError
from qehost.testing import PluginHost, StartPlugin, fill, worked_master_order

from qehost_example import Plugin


class Receiver:
    """Answers each line, but for the first `silent` ones: there it closes the connection."""

    def __init__(self, silent: int = 0) -> None:
        self.silent = silent
        self.lines: list[dict[str, Any]] = []
        self.connections = 0
        self._connection: socket.socket | None = None
        self._closed = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.config = {"port": self._server.getsockname()[1]}
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._closed = True  # before it is looked who is connected, and seen by who connects then
        for each in filter(None, (self._server, self._connection)):
            with contextlib.suppress(OSError):  # it has ended already
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._connection = connection
            if self._closed:
                connection.close()
                return
            with connection, connection.makefile("rwb") as stream:
                for line in stream:
                    if self.silent:
                        self.silent -= 1
                        break
                    self.lines.append(json.loads(line))
                    stream.write(b"ok\n")
                    stream.flush()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_qehost_finds_the_plugin_by_its_name(plugin_host: StartPlugin, receiver: Receiver) -> None:
    host = plugin_host("example", receiver.config)
    assert isinstance(host.plugin, Plugin)


def test_a_mistyped_setting_is_refused_with_the_right_name() -> None:
    with pytest.raises(PluginError, match="did you mean port"):
        PluginHost("example", {"prt": 9009})


def test_every_fill_is_sent_with_its_exact_figures(
    plugin_host: StartPlugin, receiver: Receiver
) -> None:
    host = plugin_host(Plugin, receiver.config)
    host.deliver(fill(symbol="ETHUSDT", side="sell", quantity="0.10", price="3333.330"))
    (line,) = receiver.lines
    assert (line["side"], line["quantity"], line["price"]) == ("sell", "0.10", "3333.330")


def test_one_connection_is_kept(plugin_host: StartPlugin, receiver: Receiver) -> None:
    host = plugin_host(Plugin, receiver.config)
    host.deliver(*worked_master_order(children=3))
    assert len(receiver.lines) > 1
    assert receiver.connections == 1


def test_what_was_not_answered_is_sent_again(plugin_host: StartPlugin, receiver: Receiver) -> None:
    receiver.silent = 1
    host = plugin_host(Plugin, receiver.config)
    host.deliver(fill(order_id="o-1"), fill(order_id="o-2"))
    assert host.waiting is not None
    host.retry()
    assert host.waiting is None
    assert [line["order_id"] for line in receiver.lines] == ["o-1", "o-2"]
    assert receiver.connections == 2


def test_a_receiver_that_is_not_there_is_waited_for(plugin_host: StartPlugin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    host = plugin_host(Plugin, {"port": port})
    assert host.waiting is not None
