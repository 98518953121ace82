"""No secret gets out, whatever a plugin does: by its log, its errors, or what it starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from promise import Numbers, dead_letters
from running import QUICK, Run

from qehost.simulator import Venue
from qehost.storage.state_folder import StateFolder

TOKEN = "tok-0123456789abcdef"

LEAKY = """
import json, logging, logging.config, os, subprocess, sys, traceback
from pathlib import Path
from qehost.secret import Secret
import msgspec

class Target(msgspec.Struct):
    token: Secret

class Config(msgspec.Struct):
    token: Secret
    other: Secret
    targets: list[Target] = []

def show(**found):
    with open("shown.jsonl", "a") as file:
        file.write(json.dumps(found) + "\\n")

show(environ=dict(os.environ))

class Leaky:
    Config = Config

    def __init__(self, config):
        self.token = config.token

    def on_start(self, context):
        child = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
        show(environ=json.loads(subprocess.run(child, capture_output=True, check=True).stdout))
        show(environ=dict(os.environ))
        logging.basicConfig(force=True, level="DEBUG", format="BASIC %(message)s")
        logging.getLogger("mine").warning("the token is %s", self.token.reveal())
        file = {"class": "logging.FileHandler", "filename": "own.log"}
        settings = {"version": 1, "handlers": {"file": file}, "root": {"handlers": ["file"]}}
        settings["disable_existing_loggers"] = False
        logging.config.dictConfig(settings)
        secret = self.token.reveal()
        try:
            raise ValueError(f"no {secret}")
        except ValueError as error:
            logging.getLogger("mine").exception("it failed with %s", secret)
            whole = traceback.TracebackException.from_exception(error, capture_locals=True)
            print("".join(whole.format()), file=sys.stderr, flush=True)
            print("said", secret, flush=True)

    def on_status(self, status, event):
        raise RuntimeError(f"https://user:pw-987654@host refused {self.token.reveal()}")
"""


def initial_environment(pid: int) -> dict[str, str]:
    """What the system shows of a process for as long as it runs."""
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


@pytest.mark.parametrize("keep", [False, True])
def test_a_plugin_that_replaces_the_logging_and_raises_with_its_secret_shows_it_nowhere(
    tmp_path: Path, venue: Venue, keep: bool
) -> None:
    env = {
        "LEAKY_TOKEN": TOKEN,
        "ALSO": f"prefix {venue.api_secret}",
        "QEHOST_PLUGINS__LEAKY__TOKEN": '{ env = "LEAKY_TOKEN" }',
        "QEHOST_PLUGINS__LEAKY__OTHER": "written-in-the-variable",
        "QEHOST_PLUGINS__LEAKY__TARGETS": '[{ token = { env = "NESTED_TOKEN" } }]',
        "NESTED_TOKEN": "nested-0123456789",
        "QEHOST_ACCOUNTS__MAIN__PROXY": "none",
        "HARMLESS": "1",
    }
    settings = {**QUICK, "host.keep_secrets": str(keep).lower()}
    (tmp_path / "leaky.py").write_text(LEAKY)
    with Run(tmp_path, "-p", "leaky:Leaky", venue=venue, settings=settings, env=env) as run:
        run.wait_for(lambda: run.records("on_connected"))
        Numbers(venue, rate=1).push(1)
        run.wait_for(lambda: run.records("on_error", error="HookError"), "the other's on_error")
        run.wait_for(lambda: dead_letters(run), "the dead letter")
        initial = {name: initial_environment(pid) for name, pid in run.pids().items()}
        assert run.stop() == 0
        [error] = run.errors("HookError")
        assert "refused ••••" in error
    own = (tmp_path / "own.log").read_text()
    assert "it failed with ••••" in own
    run.wait_for_line("BASIC the token is ••••")
    run.wait_for_line("secret = '••••'")  # the locals
    assert "said ••••\n" in run.out
    assert "refused ••••" in dead_letters(run)[0].detail
    letters = StateFolder(run.state).dead_letters_file.read_bytes()
    everything = [own, *run.log, *run.out, error, letters.decode("latin-1")]
    for secret in (TOKEN, venue.api_key, venue.api_secret, "pw-987654"):
        assert not [text for text in everything if secret in text]

    # While it is imported, in on_start, and in what it starts.
    shown = (tmp_path / "shown.jsonl").read_text().splitlines()
    found = [json.loads(line)["environ"] for line in shown]
    assert len(found) == 3
    assert initial.keys() == {"host main", "connection main"}
    variables = {*env, "QEHOST_API_KEY", "QEHOST_API_SECRET"} - {"HARMLESS"}
    for environ in (*found, *initial.values()):
        assert environ["HARMLESS"] == "1"
        kept = keep and environ is not initial["connection main"]
        assert environ.keys() & variables == (variables if kept else set())
