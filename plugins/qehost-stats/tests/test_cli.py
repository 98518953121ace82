"""The command, as people call it."""

import json


def test_by_default_it_is_a_page_in_the_current_folder(journal, qehost):
    done = qehost("stats", "report", "-c", "qehost.toml", "--no-venue", cwd=journal)
    page = journal / "execution-quality.html"
    assert page.read_text().startswith("<!doctype html>")
    assert "execution-quality.html" in done.stderr


def test_the_files_name_says_its_form(journal, qehost):
    for name, begin in (("a.json", b"{"), ("a.csv", b"\xef\xbb\xbfaccount,")):
        qehost("stats", "report", "-c", "qehost.toml", "--no-venue", "-o", name, cwd=journal)
        assert (journal / name).read_bytes().startswith(begin)


def test_a_time_without_events_is_an_empty_report(journal, qehost):
    arguments = ("--since", "2020-01-01", "--until", "2020-01-02", "--format", "json", "-o", "-")
    done = qehost("stats", "report", "-c", "qehost.toml", *arguments, cwd=journal)
    assert json.loads(done.stdout)["orders"] == []


def test_mistakes_are_refused_with_what_is_wrong(journal, qehost):
    for arguments, text in (
        (("--account", "mian"), "no account mian: main"),
        (("--since", "1h", "--until", "2h"), "--since is not before --until"),
        (("-o", "missing/report.html"), "can't be written"),
    ):
        command = ("stats", "report", "-c", "qehost.toml", "--no-venue", *arguments)
        assert text in qehost(*command, cwd=journal, fails=True).stderr


def test_the_section_of_the_settings_is_printed(qehost):
    text = qehost("config", "create").stdout
    assert "[plugins.stats]" in text
    assert "every = 3600" in text
