"""The log: its two forms, and no secret in either."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator

import msgspec
import pytest

from qehost.config.settings import PluginSettings
from qehost.host.discovery import Candidate
from qehost.host.loading import load
from qehost.processes.logs import LogSettings, secrets_in, set_up
from qehost.secret import Secret, redact

SECRET = "0123456789abcdef"
Start = Callable[[LogSettings], io.StringIO]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Begin to log; what is written can be read from the result."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("qehost").level
    written = io.StringIO()

    def start(settings: LogSettings) -> io.StringIO:
        monkeypatch.setattr("sys.stderr", written)
        set_up(settings, "host main")
        return written

    yield start
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    logging.getLogger("qehost").setLevel(before[2])


def test_a_line_has_time_level_process_and_text(start: Start) -> None:
    written = start(LogSettings())
    logging.getLogger("qehost.x").warning("%d things", 3)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING host main: 3 things\n", written.getvalue()
    )


def test_json_is_an_object_a_line_also_for_what_takes_several(start: Start) -> None:
    written = start(LogSettings(format="json"))
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logging.getLogger("qehost.x").exception("it\nfailed")
    (line,) = written.getvalue().splitlines()
    entry = json.loads(line)
    assert entry.keys() == {"time", "level", "process", "logger", "message", "traceback"}
    assert (entry["level"], entry["process"], entry["logger"]) == ("error", "host main", "qehost.x")
    assert entry["message"] == "it\nfailed"
    assert "ValueError: first\nsecond" in entry["traceback"]


def test_the_level_is_for_qehost_and_others_are_heard_from_warning_on(start: Start) -> None:
    written = start(LogSettings(level="debug"))
    logging.getLogger("qehost.x").debug("ours")
    logging.getLogger("urllib3").info("theirs")
    logging.getLogger("urllib3").warning("their warning")
    assert [line.partition(": ")[2] for line in written.getvalue().splitlines()] == [
        "ours",
        "their warning",
    ]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_gets_through_wherever_it_hides(start: Start, form: str) -> None:
    written = start(LogSettings(format="json" if form == "json" else "text"))
    kept = [Secret(SECRET)]
    try:
        raise ValueError(f"in an error: {SECRET}")
    except ValueError:
        logging.getLogger("qehost.x").exception("in an argument: %s", {"key": SECRET})
    kept.append(Secret("found-later"))
    logging.getLogger("qehost.x").error("found-later")
    assert SECRET not in written.getvalue()
    assert "found-later" not in written.getvalue()
    assert written.getvalue().count("••••") >= 3


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "secret", ['with"quotes', "back\\slashed", "-----BEGIN KEY-----\nof lines\n-----END KEY-----"]
)
def test_no_secret_gets_through_for_the_characters_in_it(
    start: Start, form: str, secret: str
) -> None:
    written = start(LogSettings(format="json" if form == "json" else "text"))
    Secret(secret)
    try:
        raise ValueError(f"in an error: {secret}")
    except ValueError:
        logging.getLogger("qehost.x").exception("as it is: %s; quoted: %r", secret, [secret])
    text = written.getvalue()
    if form == "json":
        entry = json.loads(text)
        text = entry["message"] + entry["traceback"]
    assert text.count("••••") == 3
    assert not any(part in text for part in ('h"quo', "slashed", "of lines"))


def test_a_plugin_can_not_log_its_secrets_while_it_is_built(start: Start) -> None:
    class Plugin:
        class Config(msgspec.Struct):
            token: Secret

        def __init__(self, config: Config) -> None:
            logging.getLogger("qehost.plugin.leak").error("for %s", config.token.reveal())
            raise ValueError(config.token.reveal())

    written = start(LogSettings())
    settings = PluginSettings(own={"token": "found-by-the-plugin"})
    plugins = load([Candidate("leak", "leak", settings=settings)], source=lambda _: Plugin)
    assert "host main, plugin leak: for ••••" in written.getvalue()
    assert "found-by-the-plugin" not in written.getvalue()
    # What goes to another process, which does not know this secret.
    assert "••••" in redact(plugins.failed[0].why)
    assert "found-by-the-plugin" not in redact(plugins.failed[0].why)


def test_secrets_are_found_at_any_depth() -> None:
    class Inner(msgspec.Struct):
        token: Secret

    class Config(msgspec.Struct):
        many: list[Inner]
        by_name: dict[str, Secret]
        other: object = None

    config = Config([Inner(Secret("a"))], {"x": Secret("b")}, other=object())
    assert secrets_in([config, None]) == {Secret("a"), Secret("b")}


HOSTILE = "no funds\r\n2026-11-25T02:05:03.123Z INFO    supervisor: all is well\x1b[2J\x9b31m\u202e"


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_the_venue_says_steers_no_terminal_and_forges_no_entry(
    start: Start, form: str
) -> None:
    written = start(LogSettings(format="json" if form == "json" else "text"))
    logging.getLogger("qehost.x").error("refused: %s", HOSTILE)
    (line,) = written.getvalue().splitlines()
    assert line.isprintable()
    if form == "json":
        assert json.loads(line)["message"] == f"refused: {HOSTILE}"


def test_a_traceback_keeps_its_lines_and_no_control_character(start: Start) -> None:
    written = start(LogSettings())
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("qehost.x").exception("refused")
    text = written.getvalue()
    assert "refused\nTraceback (most recent call last):\n  File" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_line_by_a_plugins_own_logger_names_the_plugin(start: Start) -> None:
    written = start(LogSettings())
    logging.getLogger("qehost.plugin.audit").warning("slow disk")
    assert written.getvalue().endswith(" WARNING host main, plugin audit: slow disk\n")
