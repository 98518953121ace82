"""What the documentation says is so: signatures, names, settings, and code that runs."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

import click
import pytest

from qehost import errors, testing
from qehost.cli import COMMANDS, main
from qehost.cli.plugin_package import package_files
from qehost.config.settings import OF_PLUGINS, HostSettings, PluginSettings
from qehost.errors import ConnectionLost, Error, RestError, WebsocketClientError
from qehost.hookspecs import VERSION, Context
from qehost.host.arguments import HOOKS
from qehost.host.delivery import SLICE
from qehost.rest.api import API, DEFAULT_TIMEOUT

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
OF_PLUGINS_PAGES = sorted(ROOT.glob("plugins/*/*.md"))
TUTORIAL = (ROOT / "docs" / "tutorial" / "first-plugin.md").read_text(encoding="utf-8")
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKSPECS = (ROOT / "qehost" / "hookspecs.py").read_text(encoding="utf-8")


def blocks(language: str, text: str = PLUGINS) -> list[str]:
    """The code blocks of a language, without the indentation that a list gives them."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def section(heading: str) -> str:
    level = heading.partition(" ")[0]
    start = PLUGINS.index(f"\n{heading}\n")
    rest = PLUGINS[start + len(heading) + 2 :]
    end = re.search(rf"^#{{2,{len(level)}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def declared(hook: str) -> str:
    """The hook's `def` in hookspecs.py, on one line."""
    match = re.search(rf"^def {hook}\((.*?)\) -> None:", HOOKSPECS, re.MULTILINE | re.DOTALL)
    assert match is not None
    return f"def {hook}({' '.join(match[1].split())}) -> None: ..."


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_is_documented_with_its_exact_signature(hook: str) -> None:
    text = section(f"### `{hook}`")
    assert ast.dump(ast.parse(blocks("python", text)[0])) == ast.dump(ast.parse(declared(hook)))
    for argument in HOOKS[hook]:
        prose = text.partition("```\n")[2]
        assert f"`{argument}" in prose, f"{hook}: nothing is said of {argument}"


def test_the_hooks_stand_in_the_order_of_hookspecs_and_there_are_no_others() -> None:
    assert re.findall(r"^### `(on_\w+)`$", PLUGINS, re.MULTILINE) == list(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_test_of_its_contract(hook: str) -> None:
    tree = ast.parse((ROOT / "tests" / "test_hookspecs.py").read_text(encoding="utf-8"))
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [name for name in tests if name.startswith(f"test_{hook}_")]


def test_every_attribute_of_the_context_is_documented() -> None:
    names = {field.name for field in fields(Context) if not field.name.startswith("_")}
    names |= {name for name in vars(Context) if not name.startswith("_")}
    told = set(re.findall(r"^\| `context\.(\w+)", section("## The context"), re.MULTILINE))
    assert told == names


def test_every_setting_of_the_hosts_is_documented_with_its_default() -> None:
    own = PluginSettings()
    told = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", section("## Settings"), re.MULTILINE))
    assert {name: tomllib.loads(f"x = {text}")["x"] for name, text in told.items()} == {
        name: default for name in OF_PLUGINS if (default := getattr(own, name)) is not None
    }
    for name in OF_PLUGINS:
        assert f"\n| `{name}` |" in section("## Settings")


def test_everything_in_qehost_testing_is_documented() -> None:
    text = section("## Testing")
    assert [name for name in testing.__all__ if not re.search(rf"`{name}\b", text)] == []


def test_what_is_named_exists() -> None:
    acting = section("### Acting: `context.api`")
    for name in re.findall(r"`(\w+_v2|\w+_pages)`", acting):
        assert hasattr(API, name), name
    for name in re.findall(r"`(\w+Error)`", acting):
        assert issubclass(getattr(errors, name), RestError), name
    for command in re.findall(r"\bqehost ([a-z][a-z-]+)", "".join(blocks("sh"))):
        assert command in COMMANDS, command


def test_every_error_that_reaches_on_error_is_in_its_table() -> None:
    rows = re.findall(r"^\| `.*?\|", section("### `on_error`"), re.MULTILINE)

    def below(kind: type[Error]) -> set[str]:
        return {kind.__name__}.union(*map(below, kind.__subclasses__()))

    # The end of a connection is an event of its own.
    stream = below(WebsocketClientError) - below(ConnectionLost) - {"WebsocketClientError"}
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == stream | {"HookError"}


def test_the_figures_are_those_of_the_code() -> None:
    host = HostSettings()
    for text in (
        f"at most {SLICE} events come again",
        f"at least one and at most {SLICE}",
        f"`host.slow_call`, {host.slow_call:g} s",
        f"`host.hang_timeout` ({host.hang_timeout:g} s)",
        f"`host.drain_timeout` ({host.drain_timeout:g} s)",
        f"a round trip, and {DEFAULT_TIMEOUT:g} s at worst",
    ):
        assert text in " ".join(PLUGINS.split()), text


def test_code_and_settings_can_be_read() -> None:
    assert len(blocks("python")) > len(HOOKS)
    for code in blocks("python"):
        ast.parse(code)
    for text in blocks("toml"):
        tomllib.loads(text)


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize(
    "page",
    sorted([*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *OF_PLUGINS_PAGES, *PAGES]),
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if re.match(r"\w+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors_of(target.read_text("utf-8"))):
            lost.append(link)
    assert lost == []


def test_the_tutorials_plugin_passes_the_tutorials_tests(tmp_path: Path) -> None:
    for path, text in package_files("large-fills", ["on_start", "on_fill"], f"{VERSION}.0").items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    written = []
    for code in blocks("python", TUTORIAL):
        if named := re.match(r"# (\S+/\S+\.py)\n", code):
            assert (tmp_path / named[1]).exists(), "new-plugin makes another file"
            (tmp_path / named[1]).write_text(code, encoding="utf-8")
            written.append(named[1])
    assert len(written) == 2
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    options = ["-o", f"pythonpath={tmp_path / 'src'}"]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_of_qehosts_in_a_page_has_the_options_that_it_names(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in "".join(blocks("sh", text)).replace("\\\n", " ").splitlines():
        words = shlex.split(line.partition(" | ")[0].removeprefix("sudo -u qehost "), comments=True)
        if not words or Path(words[0]).name != "qehost":
            continue
        command: click.Command = main
        with ExitStack() as stack:
            parent = context = stack.enter_context(click.Context(main))
            rest = words[1:]
            while isinstance(command, click.Group) and rest and rest[0] in names_of(command):
                name = rest.pop(0)
                found = names_of(command)[name]
                assert found is not None, line
                command = found
                context = click.Context(command, parent=parent, resilient_parsing=True)
                parent = stack.enter_context(context)
            if rest and command is main:
                # A plugin's: its own tests have it.  Or an option of `qehost`.
                assert rest[0] in OF_OFFICIAL_PLUGINS or rest[0].startswith("-"), line
            elif "&&" not in rest:
                command.make_parser(context).parse_args([word for word in rest if word != "||"])


OF_OFFICIAL_PLUGINS = {"archive", "guard", "notify", "stats", "store"}


def names_of(group: click.Group) -> dict[str, click.Command | None]:
    names = COMMANDS if group is main else group.commands
    with click.Context(group) as context:
        return {name: group.get_command(context, name) for name in names}


@pytest.mark.parametrize("name", ["first-run", "first-plugin", "production"])
def test_the_chinese_tutorial_has_the_commands_and_files_of_the_english_one(name: str) -> None:
    code = re.compile(
        r"^(?:<!-- test: [a-z ]+ -->\n)?```(?:sh|python|toml)\n.*?^```$|^<!-- test: end -->$",
        re.MULTILINE | re.DOTALL,
    )
    english, chinese = (
        (ROOT / "docs" / language / f"{name}.md").read_text(encoding="utf-8")
        for language in ("tutorial", "zh")
    )
    assert len(code.findall(english)) > 5
    assert code.findall(chinese) == code.findall(english)
    headings = re.compile(r"^#+ ", re.MULTILINE)
    assert headings.findall(chinese) == headings.findall(english)


def test_the_chinese_page_on_operation_has_the_exit_codes_of_the_english_one() -> None:
    codes = [
        re.findall(r"^\| (\d|128 \+ N) \|", (ROOT / page).read_text("utf-8"), re.MULTILINE)
        for page in ("docs/operating.md", "docs/zh/operating.md")
    ]
    assert codes[0] == codes[1]


def test_every_page_is_in_the_index_of_the_site() -> None:
    entries = set()
    for index in ("docs/index.md", "docs/howto/index.md"):
        folder = (ROOT / index).parent
        text = (ROOT / index).read_text(encoding="utf-8")
        for tree in re.findall(r"^```{toctree}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            names = re.findall(r"^[^:\n]+$", tree, re.MULTILINE)
            entries |= {(folder / f"{name}.md").resolve() for name in names}
    assert set(PAGES) - entries == {ROOT / "docs" / "index.md"}


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w/]+(?:\.py|/))`", ARCHITECTURE))))
def test_each_file_that_the_page_on_the_architecture_names_exists(path: str) -> None:
    assert (ROOT / path).exists() or (ROOT / "qehost" / path).exists()


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("docs/api.md", "What a program gains"),
        ("README.md", "Beside the venue's own client"),
        ("README.zh-CN.md", "与交易所自带客户端相比"),
    ],
)
def test_every_line_about_the_venues_client_names_a_test_that_exists(
    page: str, heading: str
) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    table = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 5
    tests = "".join(
        file.read_text(encoding="utf-8") for file in Path(__file__).parent.rglob("test_*.py")
    )
    for row in rows:
        names = re.findall(r"`(test_\w+)`", row)
        assert names, row
        for name in names:
            assert f"def {name}(" in tests, name
