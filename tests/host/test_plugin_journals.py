"""What a plugin may ask: its own accounts, up to its own position, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from journals import append

from qehost.errors import Error
from qehost.host.plugin_journals import AccountJournals, PluginJournals
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder


def test_a_history_ends_at_the_plugins_position_and_names_are_those_of_the_journal(
    tmp_path: Path,
) -> None:
    folder = StateFolder(tmp_path)
    with Journal(folder.journal("main")) as journal:
        for seq in range(1, 10):
            append(journal, seq, seq)
        name = journal.journal_id
    journals = AccountJournals(folder, ["main", "empty"])
    come_to = {"main": 3, "empty": 0}
    plugin = PluginJournals(journals, come_to.__getitem__)
    assert [event.seq for event in plugin.history("main")] == [1, 2, 3]
    history = plugin.history("main", after_seq=1)
    come_to["main"] = 5
    assert [event.seq for event in history] == [2, 3], "it is where it was asked for"
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(plugin.has, "main", name, seq) for seq in range(20)]
        assert [each.result() for each in asked] == [1 <= seq <= 9 for seq in range(20)]
    assert list(plugin.history("empty")) == []
    assert not plugin.has("empty", name, 1)
    assert journals.last_seq("main") == 9
    journals.close()


def test_an_account_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    plugin = PluginJournals(AccountJournals(StateFolder(tmp_path), ["main"]), lambda _: 0)
    with pytest.raises(Error, match="no account other"):
        plugin.history("other")
    with pytest.raises(Error, match="no account other"):
        plugin.has("other", "00" * 8, 1)
