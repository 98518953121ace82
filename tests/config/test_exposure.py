"""What other users could read or change is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost import config
from qehost.config import exposure
from qehost.config.exposure import file_exposure


def file_with(folder: Path, mode: int, text: str = "secret") -> Path:
    file = folder / "qehost.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("mode", "holds_secrets", "told"),
    [
        (0o600, True, []),
        (0o640, True, []),  # of this user's own group
        (0o644, False, []),
        (0o644, True, ["can read"]),
        (0o602, False, ["can change"]),
        (0o666, True, ["can change", "can read"]),
    ],
)
def test_who_else_can_read_or_change_a_file_is_told(
    tmp_path: Path, mode: int, holds_secrets: bool, told: list[str]
) -> None:
    file = file_with(tmp_path, mode)
    texts = file_exposure(file, holds_secrets=holds_secrets)
    assert len(texts) == len(told)
    assert all(words in text and str(file) in text for words, text in zip(told, texts, strict=True))


def test_what_a_container_mounts_is_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposure, "MOUNTED", tmp_path)
    assert file_exposure(file_with(tmp_path, 0o666), holds_secrets=True) == []
    assert file_exposure(tmp_path / "nowhere", holds_secrets=True) == []


def warnings(file: Path) -> list[str]:
    return config.load(file, environ={"KEY": "k" * 12}).warnings


def test_settings_and_secret_files_are_looked_at(tmp_path: Path) -> None:
    (secret := tmp_path / "secret").write_text("s" * 12)
    secret.chmod(0o644)
    text = '[accounts.main]\napi_key = { env = "KEY" }\napi_secret = { file = "secret" }\n'
    [warning] = warnings(file_with(tmp_path, 0o644, text))
    assert f"other users can read {secret}, which holds a secret" in warning
    secret.chmod(0o600)
    assert warnings(file_with(tmp_path, 0o644, text)) == []
    [warning] = warnings(file_with(tmp_path, 0o646, text))
    assert "other users can change" in warning
    literal = f'{text}\n[plugins.sink]\nbot_token = "0123456789"\n'
    [warning] = warnings(file_with(tmp_path, 0o644, literal))
    assert f"other users can read {tmp_path / 'qehost.toml'}, which holds a secret" in warning
