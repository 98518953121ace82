"""`qehost journal export`: what people and other programs find in the file."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from journalled import EXACT, events, run, write
from msgspec.structs import replace
from running import QEHOST

from qehost.messages import FillEvent, StatusEvent
from qehost.storage.export.json_lines import event_from_dict
from qehost.storage.state_folder import StateFolder
from qehost.testing import Events


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def csv_rows(folder: StateFolder, *args: str) -> list[dict[str, str]]:
    return rows_of(run(folder, "export", "--format", "csv", *args).stdout)


def test_the_commands_of_the_page_work(
    folder: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "durability.md").read_text(encoding="utf-8")
    section = page.partition("\n## Taking events out\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^    qehost journal (export .*)$", section, re.MULTILINE)
    if importlib.util.find_spec("pyarrow") is None:
        commands = [command for command in commands if "parquet" not in command]
    for command in commands:
        run(folder, *shlex.split(command))
    assert (tmp_path / "day.jsonl").exists()
    assert (tmp_path / "fills.csv").exists()
    assert len(commands) >= 3


# --- JSON lines ---------------------------------------------------------------------------------


def test_json_lines_hold_everything_and_can_be_read_back(folder: StateFolder) -> None:
    result = run(folder, "export", "--since", "30m")
    assert result.stderr == "7 events\n"
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    read = [event_from_dict(line) for line in lines]
    (journal_id,) = {event.journal_id for event in read}
    assert len(bytes.fromhex(journal_id)) == 8
    assert read == [
        replace(event, journal_id=journal_id) for event in events("main", 8, read[0].received_at)
    ]
    fill = read[4]
    assert isinstance(fill, FillEvent)
    assert fill.exact == EXACT
    assert lines[4]["detail"]["price"] == "100.50"


def test_json_lines_without_raw_say_that_they_cannot_be_delivered_again(
    folder: StateFolder,
) -> None:
    lines = run(folder, "export", "--no-raw", "--kind", "order").stdout.splitlines()
    assert {"raw"} == json.loads(run(folder, "export").stdout.splitlines()[0]).keys() - json.loads(
        lines[0]
    ).keys() - {"detail"}
    assert json.loads(lines[0])["detail"]["quantity"] == "2.0"
    with pytest.raises(ValueError, match="--no-raw"):
        event_from_dict(json.loads(lines[0]))


def test_json_lines_of_chosen_columns_are_flat(folder: StateFolder) -> None:
    lines = run(folder, "export", "--kind", "fill", "--columns", "seq, price,fill_time").stdout
    assert [json.loads(line) for line in lines.splitlines()] == [
        {"seq": seq, "price": "100.50", "fill_time": None} for seq in (5, 12)
    ]


def test_an_export_without_what_cannot_be_read_says_so_and_ends_with_1(
    folder: StateFolder, tmp_path: Path
) -> None:
    first = min(folder.journal("main").glob("*.events"))
    first.write_bytes(b"no journal, " * 1000)
    result = run(folder, "export", "-o", str(tmp_path / "all.jsonl"), code=1)
    assert "events 1 to 7 can't be read" in result.stderr
    assert result.stderr.endswith("qehost: not everything could be exported\n")
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 7


# --- columns ------------------------------------------------------------------------------------


def test_a_table_of_one_kind_has_its_fields_and_no_others(folder: StateFolder) -> None:
    rows = csv_rows(folder, "--kind", "fill")
    assert [int(row["seq"]) for row in rows] == [5, 12]
    assert list(rows[0])[7:13] == ["symbol", "side", "quantity", "price", "notional", "fill_time"]
    assert len(rows[0]) < 25
    assert (rows[0]["quantity"], rows[0]["price"], rows[0]["notional"]) == (
        *("0.5", "100.50", "50.250"),
    )
    assert rows[0]["received_at"].endswith("+00:00")


def test_a_table_of_several_kinds_has_what_means_the_same_in_all(folder: StateFolder) -> None:
    result = run(folder, "export", "--format", "csv")
    assert "with one --kind it has its own" in result.stderr
    rows = rows_of(result.stdout)
    assert len(rows[0]) < 25
    assert [int(row["seq"]) for row in rows] == list(range(1, 15))
    assert rows[5]["text"] == "no funds"
    master, order, fill = rows[2:5]
    assert [Decimal(row["quantity"]) for row in (master, order, fill)] == [2, 2, Decimal("0.5")]
    assert (order["price"], order["filled_quantity"], fill["order_id"]) == ("100.5", "0.5", "O-1")


def test_chosen_columns_come_in_the_order_of_the_choice(folder: StateFolder) -> None:
    result = run(folder, "export", "--format", "csv", "--columns", "price,seq,order_type,seq")
    assert "--kind" not in result.stderr
    rows = rows_of(result.stdout)
    assert list(rows[0]) == ["price", "seq", "order_type"]
    assert [row["order_type"] for row in rows[2:5]] == ["", "LIMIT", ""]


def test_a_wrong_column_is_refused_with_the_nearest_and_all_there_are(folder: StateFolder) -> None:
    told = run(folder, "export", "--kind", "fill", "--columns", "seq,prize", code=2).stderr
    assert "no column 'prize'; did you mean price?" in told
    assert "cum_quantity" in told
    told = run(folder, "export", "--kind", "fill", "--columns", "order_type", code=2).stderr
    assert "but those of the kind order have" in " ".join(told.split())


def test_the_venues_text_can_be_left_out(folder: StateFolder) -> None:
    assert "raw" in csv_rows(folder)[0]
    assert "raw" not in csv_rows(folder, "--no-raw")[0]


# --- times --------------------------------------------------------------------------------------


def test_times_are_utc_or_those_of_the_machine_with_their_offset(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        utc, local = (csv_rows(folder, *args)[0]["received_at"] for args in ([], ["--local"]))
        assert local.endswith("+08:00")
        assert utc.endswith("+00:00")
        assert datetime.fromisoformat(utc) == datetime.fromisoformat(local)
        rows = run(folder, "export", "--local", "--columns", "received_at").stdout.splitlines()
        assert json.loads(rows[0]) == {"received_at": local}
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("args", [(), ("--format", "parquet")])
def test_a_zone_is_refused_where_times_have_none(folder: StateFolder, args: list[str]) -> None:
    assert "--local is for CSV" in run(folder, "export", "--local", *args, code=2).stderr


# --- files and pipes ----------------------------------------------------------------------------


def test_the_format_follows_the_name_of_the_file(folder: StateFolder, tmp_path: Path) -> None:
    run(folder, "export", "-o", str(tmp_path / "all.CSV"))
    assert (tmp_path / "all.CSV").read_text("utf-8-sig").startswith("received_at,account,seq,")
    run(folder, "export", "-o", str(tmp_path / "all.jsonl"))
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 14


def test_a_spreadsheet_knows_a_csv_file_as_utf_8_and_a_program_gets_no_mark(
    folder: StateFolder, tmp_path: Path
) -> None:
    status = StatusEvent(15, "main", "id", time.time_ns(), "stream", False, "", "余额不足")
    write(folder, "main", [status])
    file = tmp_path / "all.csv"
    run(folder, "export", "-o", str(file))
    content = file.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfreceived_at,")
    assert "余额不足" in content.decode()
    assert run(folder, "export", "--format", "csv").stdout.startswith("received_at,")


def test_a_text_that_would_be_a_formula_is_none(folder: StateFolder) -> None:
    made = Events().order(seq=15, order_id="=HYPERLINK(1)", side="@SUM(1)", quantity="-2")
    write(folder, "main", [replace(made, received_at=time.time_ns())])
    row = csv_rows(folder, "--kind", "order", "--order-id", "=HYPERLINK(1)")[0]
    assert (row["order_id"], row["side"], row["quantity"]) == ("'=HYPERLINK(1)", "'@SUM(1)", "-2")


def test_parquet_has_types_in_a_file_and_through_a_pipe(
    folder: StateFolder, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "fills.parquet"
    run(folder, "export", "--kind", "fill", "-o", str(file))
    table = parquet.read_table(file)
    assert str(table.schema.field("price").type) == "decimal128(38, 18)"
    assert str(table.schema.field("received_at").type) == "timestamp[ns, tz=UTC]"
    assert table["price"].to_pylist() == [Decimal("100.5")] * 2
    args = ["journal", "export", "--kind", "fill", "--format", "parquet"]
    piped = subprocess.run(
        [*QEHOST, *args, "--state-dir", folder.path], stdout=subprocess.PIPE, check=True, timeout=60
    ).stdout
    assert parquet.read_table(io.BytesIO(piped)).equals(table)


def test_parquet_is_not_written_to_a_terminal(folder: StateFolder) -> None:
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            [*QEHOST, "journal", "export", "--format", "parquet", "--state-dir", folder.path],
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert "name a file with -o" in done.stderr


def test_parquet_without_pyarrow_says_what_to_install(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run(folder, "export", "--format", "parquet", code=3)
    assert "pip install 'qehost[parquet]'" in result.stderr
