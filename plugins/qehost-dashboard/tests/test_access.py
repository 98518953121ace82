"""Who is answered, and who is not."""

import hashlib
import hmac
import json
import socket
import threading
import time

import pytest
from conftest import TOKEN
from qehost.errors import PluginError
from qehost.testing import PluginHost

from qehost_dashboard import Dashboard

API = "/api/state"


def raw(port, text):
    """The first line that is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(text.encode())
        return connection.makefile().readline()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_this_machines_names_are_answered(open_page, name):
    served = open_page
    assert served.ask(API, host=f"{name}:{served.port}")[0] == 200


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:127.0.0.1",
        "localhost.evil.example",
        "[::1]",
        "[::1]:8787",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.0.0.2",
        "",
        "127.0.0.1@evil.example",
    ],
)
@pytest.mark.parametrize("path", [API, "/", "/static/app.js", "/about", "/login"])
def test_another_name_is_refused_by_all_paths(open_page, name, path):
    assert open_page.ask(path, host=name)[0] == 421


def test_two_names_or_none_are_refused(open_page):
    port = open_page.port
    both = f"Host: 127.0.0.1:{port}\r\nHost: evil.example\r\n"
    assert " 400 " in raw(port, f"GET {API} HTTP/1.1\r\n{both}\r\n")
    assert " 400 " in raw(port, f"GET {API} HTTP/1.1\r\n\r\n")
    assert " 421 " in raw(port, f"GET {API} HTTP/1.0\r\n\r\n")


def test_a_further_name_is_answered_where_the_settings_have_it(serve):
    served = serve({"hosts": ["desk.example"]})
    assert served.ask(API, host="desk.example")[0] == 200
    assert served.ask(API, host="www.desk.example")[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
    ],
)
@pytest.mark.parametrize("path", [API, "/api/stream", "/api/events", "/api/master-orders"])
def test_what_another_sites_page_asks_for_is_refused(open_page, headers, path):
    status, answered, _ = open_page.ask(path, **headers)
    assert status == 403
    assert "access-control-allow-origin" not in answered


def test_the_page_itself_is_answered_to_its_own_requests(open_page):
    own = f"http://127.0.0.1:{open_page.port}"
    assert open_page.ask(API, origin=own, sec_fetch_site="same-origin")[0] == 200


def test_a_link_elsewhere_opens_the_page_but_a_frame_does_not(open_page):
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    status, headers, _ = open_page.ask("/", **link)
    assert status == 200
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", API, "/static/app.js", "/nothing", "/login", "/about"])
def test_each_answer_has_the_policy(open_page, path):
    _, headers, _ = open_page.ask(path)
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def login(served, token):
    return served.ask("/login", "POST", json.dumps({"token": token}))


def test_without_the_token_nothing_is_shown(closed_page):
    served = closed_page
    for path in (API, "/api/stream", "/api/events", "/api/health", "/api/master-orders/main/x"):
        assert served.ask(path)[0] == 401
        assert served.ask(f"{path}?token={TOKEN}")[0] == 401
    status, headers, _ = served.ask("/")
    assert (status, headers["location"]) == (303, "login")
    assert served.ask("/login")[0] == 200
    assert served.ask("/static/login.js")[0] == 200


def test_a_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use(closed_page):
    served = closed_page
    status, headers, _ = login(served, TOKEN)
    assert status == 204
    value, *attributes = headers["set-cookie"].split("; ")
    assert value.startswith(f"qehost_dashboard_{served.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert TOKEN not in value
    assert served.ask(API, cookie=value)[0] == 200
    assert "Max-Age=0" in served.ask("/logout", "POST", cookie=value)[1]["set-cookie"]


def test_a_wrong_token_takes_a_second_and_gives_nothing(closed_page):
    served = closed_page
    begun = time.monotonic()
    status, headers, _ = login(served, TOKEN + "x")
    assert status == 401
    assert "set-cookie" not in headers
    assert time.monotonic() - begun > 0.9


def test_many_wrong_tokens_at_a_time_are_not_even_compared(closed_page):
    served = closed_page
    answers = []
    guesses = [
        threading.Thread(target=lambda: answers.append(login(served, "guess")[0]))
        for _ in range(60)
    ]
    for guess in guesses:
        guess.start()
    for guess in guesses:
        guess.join()
    assert set(answers) <= {401, 429}
    assert login(served, TOKEN)[0] == 204


@pytest.mark.parametrize("body", ["", "{", '{"token": 1}', '["token"]', "x" * 5000, '{"a": "b"}'])
def test_a_login_without_a_token_is_refused(closed_page, body):
    status, headers, _ = closed_page.ask("/login", "POST", body)
    assert status == 400
    assert "set-cookie" not in headers


def cookie(served, ends, token=TOKEN):
    name = f"qehost_dashboard_{served.port}"
    mark = hmac.new(token.encode(), f"{name} {ends}".encode(), hashlib.sha256).hexdigest()
    return f"{name}={ends}.{mark}"


def test_only_a_cookie_of_this_token_that_has_not_ended_is_good(closed_page):
    served = closed_page
    later, earlier = int(time.time()) + 1000, int(time.time()) - 1
    good = cookie(served, later)
    assert served.ask(API, cookie=good)[0] == 200
    bad = (
        cookie(served, earlier),
        cookie(served, later, "another token"),
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        good.replace(str(later), str(later + 1)),
        good.partition("=")[2],
        f"qehost_dashboard_{served.port}=",
        f"qehost_dashboard_{served.port}={'9' * 5000}.x",
        f"qehost_dashboard_{served.port}=-1.x",
    )
    for each in bad:
        assert served.ask(API, cookie=each)[0] == 401, each


def test_a_program_may_bring_the_token_as_a_bearer(closed_page):
    served = closed_page
    assert served.ask(API, authorization=f"Bearer {TOKEN}")[0] == 200
    assert served.ask(API, authorization="Bearer ")[0] == 401
    assert served.ask(API, authorization=f"Basic {TOKEN}")[0] == 401


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"host": "0.0.0.0"}, "needs a token"),
        ({"host": "192.0.2.1"}, "needs a token"),
        ({"host": "desk.example"}, "needs a token"),
        ({"host": "::1"}, "IPv6 is not served"),
        ({"host": "::", "token": TOKEN}, "IPv6 is not served"),
        ({"lang": "fr"}, "lang"),
        ({"clients": 0}, "clients"),
        ({"prot": 1}, "prot"),
    ],
)
def test_settings_that_would_show_it_to_others_or_are_wrong_are_refused(config, why):
    with pytest.raises(PluginError, match=why):
        PluginHost(Dashboard, config)


def test_bound_to_all_addresses_it_answers_to_the_one_that_was_connected_to(serve):
    served = serve({"host": "0.0.0.0", "token": TOKEN})
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert served.ask(API, **bearer)[0] == 200
    assert served.ask(API, host=socket.gethostname(), **bearer)[0] == 200
    assert served.ask(API, host="192.0.2.7", **bearer)[0] == 421
    assert served.ask(API, host="evil.example", **bearer)[0] == 421


def test_the_token_is_in_no_output(serve, caplog, capfd):
    caplog.set_level("DEBUG")
    served = serve({"token": TOKEN})
    login(served, TOKEN)
    served.ask(API, authorization=f"Bearer {TOKEN}")
    served.ask(API, authorization=f"Bearer wrong-{TOKEN}")
    served.host.stop()
    assert TOKEN not in caplog.text + "".join(capfd.readouterr())
    assert TOKEN not in repr(served.host.config)
