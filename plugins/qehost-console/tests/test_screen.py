import pytest

from qehost_console.screen import Screen


@pytest.fixture
def terminal(grid):
    return grid(20, 10)


@pytest.fixture
def screen(terminal):
    return Screen(terminal.write, lambda: (terminal.columns, terminal.rows))


def picture(name, rows, columns=20):
    return [f"{name} {row}".ljust(columns) for row in range(rows)]


def test_the_picture_stands_at_the_bottom_and_what_was_there_stays(terminal, screen):
    for number in range(8):
        terminal.write(f"shell {number}\n")
    screen.paint(picture("row", 4))
    assert terminal.text()[-4:] == ["row 0", "row 1", "row 2", "row 3"]
    assert [line for line in terminal.everything() if line.startswith("shell")] == [
        f"shell {number}" for number in range(8)
    ]


def test_lines_of_other_processes_scroll_above_the_picture_and_none_is_lost(terminal, screen):
    for number in range(30):
        screen.paint(picture(f"frame {number} row", 4))
        terminal.write(f"log {number}\n")
    assert terminal.text()[-4:] == [f"frame 29 row {row}" for row in range(4)]
    assert [line for line in terminal.everything() if line.startswith("log")] == [
        f"log {number}" for number in range(30)
    ]
    assert not any("row" in line for line in terminal.history)


def test_a_picture_that_grows_and_shrinks_leaves_nothing_behind(terminal, screen):
    for number, rows in enumerate((2, 6, 3, 9, 1, 5)):
        terminal.write(f"log {number}\n")
        screen.paint(picture("row", rows))
        shown = [line for line in terminal.text() if line.startswith("row")]
        assert shown == [f"row {row}" for row in range(rows)]
        assert terminal.text()[-rows:] == shown
    assert [line for line in terminal.everything() if line.startswith("log")] == [
        f"log {number}" for number in range(6)
    ]


def test_text_to_scroll_in_comes_out_above_the_picture(terminal, screen):
    screen.paint(picture("row", 3), above="loud\n")
    screen.paint(picture("row", 3), above="louder\n")
    assert [line for line in terminal.text() if line] == [
        "loud",
        "louder",
        "row 0",
        "row 1",
        "row 2",
    ]


def test_only_what_changed_is_sent(terminal):
    sent = []
    screen = Screen(sent.append, lambda: (20, 10))
    lines = picture("row", 4)
    screen.paint(lines)
    screen.paint([*lines[:3], "changed".ljust(20)])
    assert "changed" in sent[1]
    assert "row" not in sent[1]


def test_a_frame_is_one_write_so_that_no_other_process_can_write_into_it(terminal):
    sent = []
    screen = Screen(sent.append, lambda: (20, 10))
    screen.paint(picture("row", 4), above="loud\n")
    assert len(sent) == 1


def test_a_whole_paint_heals_what_a_stray_write_spoilt(terminal, screen):
    screen.paint(picture("row", 3))
    terminal.cells[-2] = list("garbage".ljust(20))
    screen.paint(picture("row", 3), whole=True)
    assert terminal.text()[-3:] == ["row 0", "row 1", "row 2"]


@pytest.mark.parametrize(("columns", "rows"), [(30, 14), (12, 6), (20, 5)])
def test_a_terminal_of_another_size_shows_one_picture_at_its_new_bottom(
    terminal, screen, columns, rows
):
    screen.paint(picture("row", 4))
    terminal.resize(columns, rows)
    screen.paint(picture("row", 4, columns))
    assert [line for line in terminal.text() if line] == [f"row {row}" for row in range(4)]
    assert terminal.text()[-1] == "row 3"


def test_a_picture_higher_than_the_screen_is_cut(terminal, screen):
    screen.paint(picture("row", 30))
    assert terminal.text()[1:] == [f"row {row}" for row in range(9)]


@pytest.mark.parametrize("rows", [1, 4, 9, 30])
def test_closing_gives_the_terminal_back_with_the_last_picture_on_it(terminal, screen, rows):
    screen.paint(picture("row", rows))
    terminal.write("log\n")
    screen.close(picture("last", rows))
    terminal.write("$ ")
    assert terminal.region == (0, 9)
    written = [line for line in terminal.everything() if line]
    assert written == ["log", *(f"last {row}" for row in range(rows)), "$"]


def test_a_screen_that_was_never_painted_writes_nothing_when_it_closes():
    sent = []
    Screen(sent.append, lambda: (20, 10)).close(["last"])
    assert sent == []
