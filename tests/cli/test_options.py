"""The options that commands share: which state folder is meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from running_status import write

from qehost.cli import main


def told(tmp_path: Path, settings: str) -> Result:
    """With the settings' file alone to say where the state folder is."""
    (tmp_path / "state").mkdir()
    write(tmp_path / "state")
    file = tmp_path / "qehost.toml"
    file.write_text(settings, encoding="utf-8")
    return CliRunner().invoke(main, ["status", "--json", "-c", str(file)])


@pytest.mark.parametrize(
    "mistake",
    [
        '[accounts.main]\napi_key = { file = "/not/readable/here" }',
        "[accounts.main]\nws_url = 3\nnot_done_yet = 1",
        "[connection]\nping_interval = -1",
        "[plugins.sink]\nenabled = 3",
    ],
)
def test_what_is_wrong_with_other_settings_does_not_hide_the_status(
    tmp_path: Path, mistake: str
) -> None:
    result = told(tmp_path, f'state_dir = "state"\n{mistake}\n')
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "settings",
    [
        "state_dir = 3",
        'state_dri = "state"',
        '[accounts.main]\nstate_dir = "state"',
        'state_dir = "state',
    ],
)
def test_what_would_lead_to_another_folder_is_refused(tmp_path: Path, settings: str) -> None:
    assert told(tmp_path, settings).exit_code == 4


def test_a_folder_of_nobodys_is_a_mistake_of_the_option(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["status", "--state-dir", "~no-such-user/x"])
    assert result.exit_code == 4
    assert result.stderr == (
        "qehost: --state-dir: state_dir: nobody's home folder is ~no-such-user\n"
    )
