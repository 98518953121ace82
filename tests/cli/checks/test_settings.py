"""Every mistake in the settings at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking import check

pytestmark = pytest.mark.usefixtures("ready_to_run")


def test_every_mistake_in_the_settings_is_told_and_the_accounts_are_not_tried() -> None:
    Path("qehost.toml").write_text("[accounts.main]\nproxi = 3\n[log]\nlevel = 4\n")
    checked = check()
    assert checked.code == 1
    assert [state for state, _ in checked.found["settings"]] == ["failed", "failed"]
    assert checked.found["venue"][0][0] == "skipped"
    assert "REST main" not in checked.found
