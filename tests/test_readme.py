"""README.md and README.zh-CN.md say the same, and what they show works."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from running import QEHOST
from script import Script

from qehost.cli import COMMANDS, main
from qehost.simulator import Venue

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")
)
SECTIONS = {
    "Try it": "试一试",
    "Use it": "使用",
    "Plugins to begin with": "现成的插件",
    "Beside the venue's own client": "与交易所自带客户端相比",
    "Write a plugin": "编写插件",
    "Commands": "命令",
    "Inside a program": "在程序中使用",
    "Settings": "设置",
    "More": "更多文档",
    "License": "许可证",
}
OF_A_RUN = {"qehost run", "qehost run -p my_alerts", "qehost run --simulate --fault drop=5s"}


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> set[str]:
    """Those of qehost that stand in the text or in a block."""
    typed = "".join(blocks("sh", text)).splitlines()
    return {
        each
        for each in [*re.findall(r"`(qehost [^`]+)`", text), *typed]
        if each.startswith("qehost ")
    }


def shape(code: str) -> str:
    """The code without its comments and without what its texts say."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = node.value if node.value.isascii() and " " not in node.value else ""
    return ast.dump(tree)


def test_both_have_the_same_sections_in_the_same_order() -> None:
    assert list(sections(ENGLISH)) == list(SECTIONS)
    assert list(sections(CHINESE)) == list(SECTIONS.values())


@pytest.mark.parametrize("name", [name for name in SECTIONS if name != "More"])
def test_a_section_has_the_same_rows_commands_and_code_in_both(name: str) -> None:
    english, chinese = sections(ENGLISH)[name], sections(CHINESE)[SECTIONS[name]]
    assert blocks("sh", english) == blocks("sh", chinese)
    assert commands(english) == commands(chinese)
    assert [*map(shape, blocks("python", english))] == [*map(shape, blocks("python", chinese))]
    assert [*map(tomllib.loads, blocks("toml", english))] == [
        *map(tomllib.loads, blocks("toml", chinese))
    ]
    rows = re.compile(r"^\| *(`[^`|]+`|\[[^]]+\]\([^)]+\))?", re.MULTILINE)
    assert rows.findall(english) == rows.findall(chinese)
    tests = re.compile(r"`test_\w+`")
    assert tests.findall(english) == tests.findall(chinese)


def test_the_chinese_one_leads_wherever_the_english_one_does() -> None:
    def targets(text: str) -> set[str]:
        return {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)}

    only_english = targets(ENGLISH) - targets(CHINESE)
    # The same in Chinese.
    translated = {f"docs/zh/{name}.md" for name in ("first-plugin", "production")}
    assert only_english == {
        "README.zh-CN.md",
        "docs/tutorial/first-plugin.md",
        "docs/tutorial/production.md",
    }
    assert translated <= targets(CHINESE)


def test_the_table_has_every_command() -> None:
    table = sections(ENGLISH)["Commands"]
    named = {words.split()[1] for words in re.findall(r"^\| `(qehost [^`]+)`", table, re.MULTILINE)}
    assert named == set(COMMANDS)


@pytest.fixture
def market() -> Iterator[Venue]:
    with Venue(seed=1, rate=200) as venue:
        yield venue


@pytest.mark.parametrize("line", sorted(commands(ENGLISH)))
def test_every_command_works(line: str, tmp_path: Path, market: Venue) -> None:
    env = {
        "QEHOST_API_KEY": market.api_key,
        "QEHOST_API_SECRET": market.api_secret,
        "QEHOST_ACCOUNTS__MAIN__WS_URL": market.ws_url,
        "QEHOST_ACCOUNTS__MAIN__REST_URL": market.rest_url,
        "QEHOST_STATE_DIR": str(tmp_path / "state"),
        "XDG_STATE_HOME": str(tmp_path / "home"),
    }
    (code,) = [code for code in blocks("python", ENGLISH) if code.startswith("# my_alerts.py")]
    (tmp_path / "my_alerts.py").write_text(code)
    _, *words = shlex.split(line)
    if line in OF_A_RUN or line == "qehost run --simulate":
        with Script(*QEHOST[1:], *words, folder=tmp_path, env=env) as script:
            script.wait_for("connected to ws://")
            if "my_alerts" in line:
                script.wait_for("main buy ")
            if "drop" in line:
                script.wait_for("connected to ws://", count=2)
            script.ctrl_c()
            assert script.wait() == 0, script.story()
    elif words[0] == "new-plugin":
        words = ["alerts" if word == "NAME" else word for word in words]
        done = subprocess.run([*QEHOST, *words], cwd=tmp_path, check=False)
        assert done.returncode == 0
        assert (tmp_path / "qehost-alerts" / "pyproject.toml").exists()
    elif line == "qehost config create":
        done = subprocess.run([*QEHOST, *words], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0
        tomllib.loads(done.stdout.decode())
    else:
        # It stands there as the name of the command.
        with click.Context(main) as context:
            assert main.get_command(context, words[0]) is not None
        assert len(words) == 1


def test_the_program_stays_alive_until_ctrl_c_and_gets_fills(tmp_path: Path, market: Venue) -> None:
    for text in (ENGLISH, CHINESE):
        (code,) = [code for code in blocks("python", text) if "WebSocketService" in code]
        own = code.replace('"key", "secret"', f'"{market.api_key}", "{market.api_secret}"')
        own = own.replace("https://testapi.quantumexecute.com", market.rest_url)
        own = own.replace("Service(api)", f'Service(api, "{market.ws_url}")')
        assert own.count(market.ws_url) == 1
        (tmp_path / "program.py").write_text(own, encoding="utf-8")
        with Script("program.py", folder=tmp_path) as script:
            script.wait_for("USDT")
            script.ctrl_c()
            assert script.wait() == 0, script.story()
            script.leaves_nothing()
            assert "Traceback" not in script.story()
