"""Every setting is described."""

from __future__ import annotations

from qehost.config.catalogue import SECTIONS, settings_of
from qehost.config.settings import OF_PLUGINS, AccountSettings, PluginSettings


def test_every_setting_is_described() -> None:
    for struct in (AccountSettings, *SECTIONS.values()):
        assert struct.__doc__
        for setting in settings_of(struct):
            assert setting.description, f"{struct.__name__}.{setting.name}"
    for name in OF_PLUGINS:
        assert next(s for s in settings_of(PluginSettings) if s.name == name).description
