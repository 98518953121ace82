"""`qehost journal`: what people see, and what other programs get."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from rich.console import Console

from qehost.cli.journal import WRITERS, command
from qehost.cli.journal_table import print_line
from qehost.cli.moment import MOMENT, SIZE
from qehost.host.cursors import Marks
from qehost.host.dead_letters import DeadLetters
from qehost.journal import Journal
from qehost.journal.export import event_from_dict
from qehost.journal.layout import segments
from qehost.messages import (
    AnyEvent,
    Connected,
    ConnectedEvent,
    ErrorEvent,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderEvent,
    OrderMessage,
    Problem,
    StatusEvent,
    UnknownEvent,
)
from qehost.records import encode_events
from qehost.state import StateFolder

MASTER = MasterOrderMessage(
    "master_order", "MO-1", "C-1", "TWAP", "BTCUSDT", "BUY", 2.0, 60.0, "SPOT", "", False,
    "PROCESSING", 1.0, 1, 1000, "", 1000,
)  # fmt: skip
ORDER = OrderMessage(
    "order", "MO-1", "O-1", "BTCUSDT", "SPOT", "BUY", 100.5, 2.0, "PLACED", 1, 0.5, 100.5, 0.5,
    1.5, 1, 1, 0, "LIMIT", "", 1000,
)  # fmt: skip
FILL = FillMessage(
    "fill", "MO-1", "O-1", "BTCUSDT", "SPOT", "BUY", 100.5, 0.5, 1000, 1000
)  # fmt: skip
EXACT = FillDetail(
    "MO-1", "O-1", "BTCUSDT", "SPOT", "BUY", Decimal("100.50"), Decimal("0.5"), Decimal("50.250")
)


def events(account: str, first_seq: int, at: int) -> list[AnyEvent]:
    """One event of each kind, a second apart."""
    made: list[Callable[..., AnyEvent]] = [
        lambda *head: ConnectedEvent(*head, "stream", False, "", Connected("wss://venue")),
        lambda *head: StatusEvent(*head, "stream", False, "raw", "ready [bold]now[/bold]"),
        lambda *head: MasterOrderEvent(*head, "stream", False, "raw", MASTER),
        lambda *head: OrderEvent(*head, "stream", False, "raw", ORDER),
        lambda *head: FillEvent(*head, "derived", False, "raw", FILL, EXACT),
        lambda *head: ErrorEvent(*head, "stream", False, "raw", Problem("venue", "no funds")),
        lambda *head: UnknownEvent(*head, "stream", False, "raw", None),
    ]
    return [
        make(first_seq + place, account, f"id-{first_seq + place}", at + place * 10**9)
        for place, make in enumerate(made)
    ]


def write(folder: StateFolder, account: str, batch: list[AnyEvent]) -> None:
    with Journal(folder.journal(account)) as journal:
        first, last = batch[0], batch[-1]
        data = encode_events(batch)
        journal.append(data, first.seq, last.seq, first.received_at, last.received_at)
    os.utime(segments(folder.journal(account))[-1], ns=(last.received_at, last.received_at))


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """An hour-old batch and a new one, each in its own file."""
    folder = StateFolder(tmp_path / "state")
    now = time.time_ns()
    write(folder, "main", events("main", 1, now - 3600 * 10**9))
    write(folder, "main", events("main", 8, now - 60 * 10**9))
    return folder


def run(folder: StateFolder, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, [args[0], "--state-dir", str(folder.path), *args[1:]])
    assert result.exit_code == code, result.output
    return result


def listed(folder: StateFolder, *args: str) -> list[int]:
    """The numbers of the events that `list` shows."""
    return [event["seq"] for event in json.loads(run(folder, "list", "--json", *args).stdout)]


def test_the_list_shows_time_seq_kind_and_ids_newest_last(folder: StateFolder) -> None:
    header, *lines = run(folder, "list").stdout.splitlines()
    assert header.split() == ["Time", "Seq", "Kind", "Symbol", "What", "Master", "order", "Order"]
    assert len(lines) == 14
    words = lines[11].split()
    assert words[2:5] == ["12", "fill", "BTCUSDT"]
    assert words[-2:] == ["MO-1", "O-1"]
    assert "BUY 0.5 @ 100.5 (derived)" in lines[11]
    assert "BUY 0.5/2 @ 100.5 PLACED" in lines[10]
    # What the venue sends is text, not markup.
    assert "ready [bold]now[/bold]" in lines[8]


def test_the_list_is_limited_to_the_newest(folder: StateFolder) -> None:
    assert listed(folder, "-n", "3") == [12, 13, 14]
    assert listed(folder, "-n", "0") == list(range(1, 15))


@pytest.mark.parametrize(
    ("args", "seqs"),
    [
        (("--kind", "fill"), [5, 12]),
        (("--kind", "fill", "--kind", "status"), [2, 5, 9, 12]),
        (("--symbol", "BTCUSDT"), [3, 4, 5, 10, 11, 12]),
        (("--symbol", "BTC"), []),
        (("--order-id", "O-1"), [4, 5, 11, 12]),
        (("--order-id", "MO-1", "--kind", "master_order"), [3, 10]),
        (("--order-id", "C-1"), [3, 10]),
        (("--since", "30m"), list(range(8, 15))),
        (("--until", "30m"), list(range(1, 8))),
        (("--since", "2h", "--until", "30m", "--kind", "order"), [4]),
    ],
)
def test_the_list_is_filtered(folder: StateFolder, args: tuple[str, ...], seqs: list[int]) -> None:
    assert listed(folder, *args) == seqs


def test_accounts_are_shown_together_by_time_or_one_alone(folder: StateFolder) -> None:
    write(folder, "other", events("other", 1, time.time_ns() - 1800 * 10**9))
    header, *lines = run(folder, "list").stdout.splitlines()
    assert header.split()[1] == "Account"
    assert [line.split()[2] for line in lines] == ["main"] * 7 + ["other"] * 7 + ["main"] * 7
    assert listed(folder, "--account", "other") == list(range(1, 8))
    assert "main, other" in run(folder, "list", "--account", "third", code=2).stderr


def test_the_list_works_while_the_journal_is_written(folder: StateFolder) -> None:
    with Journal(folder.journal("main")) as journal:
        batch = events("main", 15, time.time_ns())
        journal.append(encode_events(batch), 15, 21, 0, time.time_ns())
        assert listed(folder, "-n", "1") == [21]


def test_an_empty_and_a_missing_journal_are_told_in_words(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    assert "`qehost run` begins one" in run(folder, "list", code=3).stderr
    Journal(folder.journal("main")).close()
    result = run(folder, "list")
    assert result.stdout == ""
    assert "No event has been received yet" in result.stderr
    assert json.loads(run(folder, "list", "--json").stdout) == []
    assert run(folder, "list", "--kind", "fill").stderr == "No event fits.\n"


def test_what_cannot_be_read_is_told_and_the_rest_is_shown(folder: StateFolder) -> None:
    first = min(folder.journal("main").glob("*.events"))
    first.write_bytes(b"no journal, " * 1000)
    result = run(folder, "list", "--json")
    assert [event["seq"] for event in json.loads(result.stdout)] == list(range(8, 15))
    assert "events 1 to 7 can't be read" in result.stderr


HOSTILE = "x\x1b]0;title\x07\x1b[2J\n\x9b31m\u202e"


def test_nothing_that_the_venue_sends_steers_the_terminal(folder: StateFolder) -> None:
    head = ("main", "id", time.time_ns(), "stream", False, "raw \x1b[2J")
    order = replace(
        ORDER, master_order_id=HOSTILE, order_id=HOSTILE, symbol=HOSTILE, status=HOSTILE
    )
    hostile: list[AnyEvent] = [
        StatusEvent(15, *head, HOSTILE),
        OrderEvent(16, *head, order),
        ErrorEvent(17, *head, Problem("venue", HOSTILE)),
    ]
    write(folder, "main", hostile)
    with DeadLetters(folder.dead_letters_file) as letters:
        letters.add(
            account="main",
            plugin="sink",
            process="main",
            seq=16,
            hook="on_order",
            cause="raised",
            detail=f"Traceback:\n  File\nValueError: {HOSTILE}",
            event=encode_events([hostile[1]]),
        )
    for arguments in ("list",), ("dead-letters",), ("dead-letters", "1"):
        lines = run(folder, *arguments).stdout.split("\n")
        assert all(line.isprintable() for line in lines), arguments
        assert any(r"\x9b31m" in line for line in lines)
    assert len(run(folder, "list", "-n", "3").stdout.splitlines()) == 4
    tailed = io.StringIO()
    for event in hostile:
        print_line(Console(file=tailed, soft_wrap=True), event, with_account=True)
    assert len(lines := tailed.getvalue().splitlines()) == 3
    assert all(line.isprintable() for line in lines)
    # What other programs read is as it came.
    assert (
        json.loads(run(folder, "list", "--json", "-n", "1").stdout)[0]["message"]["text"] == HOSTILE
    )


# --- export -----------------------------------------------------------------------------------


def test_json_lines_hold_everything_and_can_be_read_back(folder: StateFolder) -> None:
    result = run(folder, "export", "--since", "30m")
    assert result.stderr == "7 events\n"
    read = [event_from_dict(json.loads(line)) for line in result.stdout.splitlines()]
    assert read == events("main", 8, read[0].received_at)
    fill = read[4]
    assert isinstance(fill, FillEvent)
    assert fill.exact == EXACT


def test_an_export_without_what_cannot_be_read_says_so_and_ends_with_1(
    folder: StateFolder, tmp_path: Path
) -> None:
    first = min(folder.journal("main").glob("*.events"))
    first.write_bytes(b"no journal, " * 1000)
    result = run(folder, "export", "-o", str(tmp_path / "all.jsonl"), code=1)
    assert "events 1 to 7 can't be read" in result.stderr
    assert result.stderr.endswith("qehost: not everything could be exported\n")
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 7


@pytest.mark.parametrize("fields", [{}, {"kind": "fill"}, {"kind": "order", "message": 3}, []])
def test_what_is_no_event_is_refused(fields: Any) -> None:
    with pytest.raises(ValueError, match="no event"):
        event_from_dict(fields)


HEADER = """
received_at received_ns account seq kind origin message_id text master_order_id client_id strategy
symbol side qty duration_secs category action reduce_only status date ticktime_int ticktime_ms
reason timestamp order_id price quantity created_time fill_qty fill_price cum_filled_qty
quantity_remaining ack_time last_fill_time cancel_time price_type filled_qty fill_time
exact_quantity exact_price exact_notional raw
"""


def test_csv_has_one_flat_row_for_each_event(folder: StateFolder) -> None:
    rows = list(csv.DictReader(io.StringIO(run(folder, "export", "--format", "csv").stdout)))
    assert list(rows[0]) == HEADER.split()
    assert [int(row["seq"]) for row in rows] == list(range(1, 15))
    fill = rows[4]
    assert (fill["filled_qty"], fill["exact_price"], fill["order_id"]) == ("0.5", "100.50", "O-1")
    assert rows[5]["text"] == "no funds"
    assert fill["received_at"].endswith("+00:00")


def test_the_format_follows_the_name_of_the_file(folder: StateFolder, tmp_path: Path) -> None:
    run(folder, "export", "-o", str(tmp_path / "all.csv"))
    assert (tmp_path / "all.csv").read_text().startswith("received_at,received_ns,account")
    run(folder, "export", "-o", str(tmp_path / "all.jsonl"))
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 14


def test_parquet_has_the_same_columns_with_types(folder: StateFolder, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run(folder, "export", "-o", str(tmp_path / "all.parquet"))
    table = parquet.read_table(tmp_path / "all.parquet")
    assert table.column_names == HEADER.split()
    assert table.column("seq").to_pylist() == list(range(1, 15))
    assert str(table.schema.field("fill_price").type) == "double"


@pytest.mark.parametrize("trouble", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_an_export_that_ends_early_leaves_the_earlier_one_as_it_was(
    folder: StateFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: BaseException,
) -> None:
    def write_some(_: object, file: BinaryIO) -> int:
        file.write(b"half of it")
        raise trouble

    monkeypatch.setitem(WRITERS, "jsonl", write_some)
    (place := tmp_path / "exports").mkdir()
    (place / "all.jsonl").write_text("the earlier one")
    result = run(
        folder,
        "export",
        "-o",
        str(place / "all.jsonl"),
        code=3 if isinstance(trouble, OSError) else 1,
    )
    assert (place / "all.jsonl").read_text() == "the earlier one"
    assert [file.name for file in place.iterdir()] == ["all.jsonl"]
    assert "Traceback" not in result.stderr
    if isinstance(trouble, OSError):
        assert result.stderr == f"qehost: {place}/all.jsonl can't be written: No space left\n"


def test_an_export_into_a_pipe_goes_through_it(folder: StateFolder, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading, writing = os.pipe()
    with open(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)) as by_name, open(reading) as by_number:
        run(folder, "export", "--kind", "fill", "-o", str(fifo))
        run(folder, "export", "--kind", "fill", "-o", f"/dev/fd/{writing}")
        os.close(writing)
        assert len(by_name.readlines()) == 2
        assert len(by_number.readlines()) == 2
    assert fifo.is_fifo()


def test_an_export_through_a_link_replaces_what_it_points_to_and_keeps_its_mode(
    folder: StateFolder, tmp_path: Path
) -> None:
    (tmp_path / "far").mkdir()
    file, link = tmp_path / "far" / "file", tmp_path / "link.jsonl"
    link.symlink_to("far/file")
    run(folder, "export", "-o", str(link))  # It need not be there.
    file.write_text("old")
    file.chmod(0o640)
    run(folder, "export", "-o", str(link))
    assert link.is_symlink()
    assert len(file.read_text().splitlines()) == 14
    assert file.stat().st_mode & 0o777 == 0o640


def test_an_export_that_cannot_be_written_is_told_in_words(
    folder: StateFolder, tmp_path: Path
) -> None:
    missing = tmp_path / "missing" / "all.csv"
    told = run(folder, "export", "-o", str(missing), code=3).stderr
    assert told == f"qehost: {missing} can't be written: No such file or directory\n"


def test_parquet_without_pyarrow_says_what_to_install(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    result = run(folder, "export", "--format", "parquet", code=3)
    assert "pip install 'qehost[parquet]'" in result.stderr


# --- prune ------------------------------------------------------------------------------------


def deliver(folder: StateFolder, process: str, seq: int) -> None:
    marks = Marks.open(folder.marks(process), (), (), ("main",))
    marks.advance("main", seq)
    marks.close()


def test_pruning_says_what_was_deleted(folder: StateFolder) -> None:
    deliver(folder, "main", 14)
    result = run(folder, "prune", "--keep", "30m")
    assert "main: events up to 7 deleted" in result.stdout
    assert listed(folder) == list(range(8, 15))
    assert "nothing to delete" in run(folder, "prune", "--keep", "30m").stdout


def test_pruning_by_age_names_the_process_that_holds_it_back(folder: StateFolder) -> None:
    deliver(folder, "fast", 14)
    deliver(folder, "slow", 3)
    result = run(folder, "prune", "--keep", "30m")
    assert "host process slow has come to event 3 only" in result.stderr
    assert listed(folder) == list(range(1, 15))
    assert "events up to 7 deleted" in run(folder, "prune", "--keep", "30m", "--undelivered").stdout


def test_pruning_by_size_says_how_much_was_not_delivered(folder: StateFolder) -> None:
    deliver(folder, "main", 3)
    result = run(folder, "prune", "--keep-size", "1k")
    assert "4 of them had not been delivered" in result.stderr
    assert listed(folder) == list(range(8, 15))


def test_pruning_asks_what_to_keep(folder: StateFolder) -> None:
    assert "--keep 7d" in run(folder, "prune", code=2).stderr
    assert "write 90s, 15m" in run(folder, "prune", "--keep", "a week", code=2).stderr


# --- dead letters -----------------------------------------------------------------------------


@pytest.fixture
def letters(folder: StateFolder) -> StateFolder:
    """A letter for each of two plugins."""
    with DeadLetters(folder.dead_letters_file, limit=1) as letters:
        for seq, plugin, cause, detail in (
            (5, "sink", "raised", "Traceback (most recent call last):\n  …\nValueError: no disk"),
            (6, "console", "died", "signal SIGSEGV"),
            (12, "sink", "raised", "ValueError: no disk"),
        ):
            letters.add(
                account="main",
                plugin=plugin,
                process="main",
                seq=seq,
                hook="on_fill",
                cause=cause,  # type: ignore[arg-type]
                detail=detail,
                event=encode_events([events("main", 1, 10**18)[4]]),
            )
    return folder


def all_letters(folder: StateFolder) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(folder, "dead-letters", "--json").stdout)
    return found


def test_dead_letters_are_listed_with_their_cause(letters: StateFolder) -> None:
    result = run(letters, "dead-letters")
    header, first, second = result.stdout.splitlines()
    assert header.split()[0] == "Id"
    assert "sink" in first
    assert first.rstrip().endswith("raised: ValueError: no disk")
    assert second.rstrip().endswith("died: signal SIGSEGV")
    assert "plugin sink: 1 more were only counted" in result.stderr
    assert len(run(letters, "dead-letters", "--plugin", "sink").stdout.splitlines()) == 2


def test_a_letter_is_shown_whole(letters: StateFolder) -> None:
    text = run(letters, "dead-letters", "1").stdout
    assert "Traceback (most recent call last):" in text
    assert "BUY 0.5 @ 100.5" in text
    assert "no dead letter 9" in run(letters, "dead-letters", "9", code=2).stderr


def test_dead_letters_as_json_hold_their_events(letters: StateFolder) -> None:
    first, second = json.loads(run(letters, "dead-letters", "--json").stdout)
    assert (first["id"], first["plugin"], first["state"]) == (1, "sink", "dead")
    assert first["event"]["message"]["filled_qty"] == 0.5
    assert second["detail"] == "signal SIGSEGV"


def test_retry_marks_letters_for_the_host(letters: StateFolder) -> None:
    assert run(letters, "dead-letters", "--retry", "1").stdout == "1 to be delivered again\n"
    assert "no dead letter 9" in run(letters, "dead-letters", "--retry", "9", code=2).stderr
    assert "or all" in run(letters, "dead-letters", "--retry", "some", code=2).stderr
    with DeadLetters(letters.dead_letters_file) as store:
        assert [letter.id for letter in store.take(["sink", "console"])] == [1]
        assert run(letters, "dead-letters", "--retry", "all").stdout == "2 to be delivered again\n"
        assert len(store.take(["sink", "console"])) == 2


def test_purge_removes_letters(letters: StateFolder) -> None:
    assert run(letters, "dead-letters", "--purge", "delivered").stdout == "0 removed\n"
    with DeadLetters(letters.dead_letters_file) as store:
        store.delivered(1)
    assert run(letters, "dead-letters", "--purge", "delivered").stdout == "1 removed\n"
    assert run(letters, "dead-letters", "--purge", "2").stdout == "1 removed\n"
    assert run(letters, "dead-letters").stdout == "No dead letters.\n"
    assert "no dead letter 2" in run(letters, "dead-letters", "--purge", "2", code=2).stderr


@pytest.mark.parametrize("arguments", [("1", "--purge", "all"), ("1", "--retry", "2")])
def test_numbers_beside_retry_or_purge_are_refused_and_nothing_is_done(
    letters: StateFolder, arguments: tuple[str, ...]
) -> None:
    assert (
        "write --retry ID or --purge ID" in run(letters, "dead-letters", *arguments, code=2).stderr
    )
    assert [each["state"] for each in all_letters(letters)] == ["dead", "dead"]


@pytest.mark.parametrize(
    "arguments", [("1", "2"), ("--retry", "1", "--retry", "2"), ("--purge", "1", "--purge", "2")]
)
def test_with_a_plugin_named_no_letter_of_another_is_touched(
    letters: StateFolder, arguments: tuple[str, ...]
) -> None:
    told = run(letters, "dead-letters", *arguments, "--plugin", "sink", code=2).stderr
    assert "Not of plugin sink: dead letter 2 is one of plugin console." in told
    assert [each["state"] for each in all_letters(letters)] == ["dead", "dead"]


@pytest.mark.parametrize("number", ["9", "99999999999999999999999", "-99999999999999999999999"])
@pytest.mark.parametrize("option", ["--retry", "--purge"])
def test_where_one_letter_is_missing_nothing_is_done_to_the_others(
    letters: StateFolder, option: str, number: str
) -> None:
    told = run(letters, "dead-letters", option, "1", option, number, code=2).stderr
    assert f"There is no dead letter {number}." in told
    assert [each["state"] for each in all_letters(letters)] == ["dead", "dead"]


def test_no_dead_letters_are_no_error_and_no_file_is_made(folder: StateFolder) -> None:
    assert run(folder, "dead-letters").stdout == "No dead letters.\n"
    assert run(folder, "dead-letters", "--json").stdout == "[]\n"
    assert not folder.dead_letters_file.exists()


# --- what people type -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T09:30:00Z", 1_795_599_000 * 10**9),
        ("2026-11-25T09:30:00.25+00:00", 1_795_599_000_250_000_000),
    ],
)
def test_moments_with_an_offset_are_exact(text: str, expected: int) -> None:
    assert MOMENT.convert(text, None, None) == expected


def test_a_time_of_today_is_local() -> None:
    today = time.localtime()
    expected = time.mktime((today.tm_year, today.tm_mon, today.tm_mday, 9, 5, 0, 0, 0, -1))
    assert MOMENT.convert("09:05", None, None) == MOMENT.convert("9:05", None, None)
    assert MOMENT.convert("9:05", None, None) == int(expected) * 10**9


@pytest.mark.parametrize(
    ("text", "expected"), [("500", 500), ("1k", 1024), ("2M", 2 << 20), ("1.5GiB", 3 << 29)]
)
def test_sizes(text: str, expected: int) -> None:
    assert SIZE.convert(text, None, None) == expected


HUGE = "9" * 400


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "0001-01-01"),
        ("--since", "0001-01-01T00:00+14:00"),
        ("--since", f"{HUGE}d"),
        ("--until", "9999-12-31T23:59:59-12:00"),
        ("--since", "1960-01-01"),
    ],
)
def test_a_time_beyond_all_clocks_means_everything(
    folder: StateFolder, arguments: tuple[str, str]
) -> None:
    assert listed(folder, *arguments) == list(range(1, 15))


@pytest.mark.parametrize("text", ["0001-01-01", "1970-01-01T00:00Z", f"{HUGE}d"])
def test_until_a_time_before_all_clocks_is_nothing(folder: StateFolder, text: str) -> None:
    assert listed(folder, "--until", text) == []


@pytest.mark.parametrize("option", [("--keep", f"{HUGE}d"), ("--keep-size", f"{HUGE}T")])
def test_to_keep_more_than_there_can_be_deletes_nothing(
    folder: StateFolder, option: tuple[str, str]
) -> None:
    deliver(folder, "main", 14)
    assert "nothing to delete" in run(folder, "prune", *option).stdout
