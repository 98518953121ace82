"""The pages over real sockets: both forms, slow clients, foreign names, the port."""

import socket

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families
from qehost.errors import PluginError
from qehost.testing import PluginHost, worked_master_order

from qehost_metrics import Metrics


def port_of(serving):
    return serving.host.plugin._server.port


def test_both_forms_are_read_by_the_clients_own_parsers(serving):
    serving.deliver(*worked_master_order())
    page = serving.get()
    assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    plain = {f.name for f in text_string_to_metric_families(page.text)}
    page = serving.openmetrics()
    assert page.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    parsed = list(openmetrics_parser.text_string_to_metric_families(page.text))
    assert {f.name for f in parsed} == plain
    assert page.text.count("# EOF") == 1


def test_other_paths_and_host_names_are_refused(serving):
    assert serving.get("/").status == 404
    assert serving.get("/metrics?x=1").status == 200
    for name in ("evil.example", "127.0.0.1.evil.example:9464", "localhost.evil.example", ""):
        assert serving.get(Host=name).status == 421, name
    for name in ("localhost:9464", "127.0.0.1", "[::1]:9464", "LOCALHOST"):
        assert serving.get(Host=name).status == 200, name


def test_clients_that_are_silent_keep_neither_others_nor_the_end_waiting(monkeypatch):
    with PluginHost(Metrics, {"port": 0}) as host:
        address = ("127.0.0.1", host.plugin._server.port)
        silent = [socket.create_connection(address) for _ in range(40)]
        for each in silent[:5]:
            each.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
        # Who waited for them would wait for longer than the test may take.
        monkeypatch.setattr("qehost_metrics.server._Request.timeout", 1000.0)
        host.deliver(*worked_master_order())
        host.stop()
    for each in silent:
        each.close()


def test_a_port_that_is_taken_is_told_and_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        host = PluginHost(Metrics, {"port": port}, raises=False)
        host.start()
        assert "Address already in use" in str(host.errors[0].__cause__)
        assert f"127.0.0.1:{port}" in str(host.errors[0].__cause__)
        host.stop()
    with PluginHost(Metrics, {"port": port}) as host:
        assert host.plugin._server.port == port


def test_the_port_is_free_again_at_once_as_a_reload_needs_it(serving):
    port = port_of(serving)
    serving.get()
    serving.host.stop()
    with PluginHost(Metrics, {"port": port}) as host:
        assert host.plugin._server.port == port


@pytest.mark.parametrize(
    ("setting", "value"), [("port", 70_000), ("host", ""), ("max_lag", 0), ("prot", 1)]
)
def test_settings_that_are_wrong_are_refused_with_their_name(setting, value):
    with pytest.raises(PluginError, match=setting):
        PluginHost(Metrics, {setting: value})


def test_check_says_whether_the_address_can_be_had(serving):
    config, context = serving.host.config, serving.host.context
    assert "can listen" in config.check(context)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = Metrics.Config(port=taken.getsockname()[1])
        assert "in use, as it is while qehost runs" in other.check(context)
        serving.host.status = None
        with pytest.raises(Exception, match="in use"):
            other.check(context)
