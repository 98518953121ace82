"""Writes docs/reference/: `python docs/make_reference.py`.

Commands come from the command line itself, settings from the catalogue that `qehost config create`
prints, hooks, errors and REST methods from their signatures and docstrings.  Nothing there is
written by hand; tests/test_reference_pages.py fails while pages and code differ.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from qehost import errors, hookspecs
from qehost.cli import COMMANDS, main
from qehost.cli.help import Command, Group
from qehost.config.annotated import markdown
from qehost.rest.api import API
from qehost.simulator.faults import describe_faults

FOLDER = Path(__file__).parent / "reference"
MADE = "This page is made by `python docs/make_reference.py` from the code."
COMMANDS_HEAD = f"""\
# The command line

{MADE}

`qehost COMMAND --help` shows the same. [Exit codes](../operating.md#exit-codes) and
[signals](../operating.md#signals) stand with the operation.
"""
SETTINGS_HEAD = f"""\
# Settings

{MADE}

`qehost config create` prints the same as a file, with the settings of the plugins that are
installed. Where settings come from, and how secrets are given:
[Operating](../operating.md#settings).

"""
HOOKS_HEAD = f"""\
# Hooks

{MADE}

The contract of each hook, in short. [Plugins](../plugins.md) says more, and has examples.
"""
REST_HEAD = f"""\
# REST

{MADE}

[The documented API inside a program](../api.md#rest) says how it is used; plugins get it as
`context.api(account)`.
"""


# --- texts --------------------------------------------------------------------------------------


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: its literal blocks, and its lists of arguments."""
    parts: list[str] = []
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    is_code = False
    for paragraph in paragraphs:
        if is_code and paragraph.startswith("    "):
            parts.append(f"```python\n{textwrap.dedent(paragraph)}\n```")
            continue
        is_code = paragraph.endswith("::")
        text = re.sub(r":?:$", ":", paragraph) if is_code else paragraph
        if not (is_code and text == ":"):
            parts.append(_arguments(text) if text.startswith("Args:\n") else text)
    return "\n\n".join(parts)


def _arguments(text: str) -> str:
    lines = ["Arguments:", ""]
    for line in textwrap.dedent(text.partition("\n")[2]).splitlines():
        if named := re.match(r"([\w, ]+): ", line):
            names = ", ".join(f"`{name.strip()}`" for name in named[1].split(","))
            lines.append(f"- {names}: {line[named.end() :]}")
        else:
            lines.append(f"  {line.strip()}")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """For a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


# --- pages --------------------------------------------------------------------------------------


def commands_page() -> str:
    parts = [COMMANDS_HEAD]
    context = click.Context(main, info_name="qehost", help_option_names=["-h", "--help"])
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        parts += _command(command, context, name)
    context.close()
    return "\n".join(parts)


def _command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    with click.Context(command, parent=parent, info_name=name) as context:
        level = "##" if parent.parent is None else "###"
        yield f"{level} `{context.command_path}`\n"
        yield f"{prose(command.help)}\n"
        if isinstance(command, Group):
            for each in command.list_commands(context):
                found = command.get_command(context, each)
                assert found is not None
                yield from _command(found, context, each)
            return
        assert isinstance(command, Command)
        words = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        yield f"```text\n{words}\n```\n"
        for subject, records in command.by_subject(context).items():
            yield f"| {subject} | |\n|---|---|"
            # That of --help depends on where the command was asked for it first.
            yield _rows(each for each in records if "--help" not in each[0])
        if name == "simulate":
            yield f"| Faults, each with its default | |\n|---|---|\n{_rows(describe_faults())}"
        examples = "".join(f"{line}    # {text}\n" for line, text in command.examples.items())
        yield f"```sh\n{examples}```\n"


def _rows(records: Iterable[tuple[str, str]]) -> str:
    return "".join(f"| `{escaped(name)}` | {escaped(text)} |\n" for name, text in records)


def settings_page() -> str:
    return SETTINGS_HEAD + markdown()


def hooks_page() -> str:
    tree = ast.parse(inspect.getsource(hookspecs))
    head = (ast.get_docstring(tree) or "").partition("A plugin is a module")
    parts = [HOOKS_HEAD, prose(head[1] + head[2]) + "\n"]
    parts += [
        f"## `{node.name}`\n\n{_function(node)}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("on_")
    ]
    (context,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Context")
    parts.append(f"## The context\n\n{prose(ast.get_docstring(context))}\n")
    parts.append(_fields(context))
    parts += [
        f"### `context.{node.name}`\n\n{_function(node)}"
        for node in context.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    return "\n".join(parts)


def _fields(node: ast.ClassDef) -> str:
    rows = ["| attribute | type | |", "|---|---|---|"]
    for field, following in zip(node.body, node.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        name, kind = field.target.id, escaped(ast.unparse(field.annotation))
        if not name.startswith("_"):
            text = ""
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                text = " ".join(str(following.value.value).split())
            rows.append(f"| `{name}` | `{kind}` | {text} |")
    return "\n".join(rows) + "\n"


def _function(node: ast.FunctionDef) -> str:
    if any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list):
        assert node.returns is not None
        return f"A `{ast.unparse(node.returns)}`. {prose(ast.get_docstring(node))}\n"
    lines = inspect.getsource(hookspecs).splitlines()[node.lineno - 1 : node.body[0].lineno - 1]
    code = textwrap.dedent("\n".join(lines)) + " ..."
    return f"```python\n{code}\n```\n\n{prose(ast.get_docstring(node))}\n"


def errors_page() -> str:
    head, tree, rest = re.split(r"::\n\n((?: {4}.*\n)+)", errors.__doc__ or "")
    parts = [
        f"# Errors\n\n{MADE}\n\n{head.strip()} All are in `qehost.errors`.\n",
        f"```text\n{textwrap.dedent(tree)}```\n\n{rest.strip()}\n",
    ]
    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type):
            parts.append(f"## `{name}`\n\nA kind of {_bases(kind)}.\n\n{prose(kind.__doc__)}\n")
    return "\n".join(parts)


def _bases(kind: type) -> str:
    return ", ".join(f"`{base.__name__}`" for base in kind.__bases__)


def rest_page() -> str:
    parts = [REST_HEAD, f"## `API`\n\n{prose(API.__doc__)}\n"]
    for owner in API.__mro__:
        own = [_method(name, each) for name, each in vars(owner).items() if _is_public(name, each)]
        if own:
            title = "Calls of any kind" if owner is not API else "Beside the calls"
            module: ModuleType | None = inspect.getmodule(owner)
            line = (module.__doc__ or "").partition("\n")[0] if module and owner is not API else ""
            parts.append(f"## {_title(line) or title}\n")
            parts += own
    return "\n".join(parts)


def _title(line: str) -> str:
    return line.strip().rstrip(".")


def _is_public(name: str, value: Any) -> bool:
    return not name.startswith("_") and inspect.isfunction(value)


def _method(name: str, function: Any) -> str:
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.FunctionDef)
    arguments = re.sub(r"^self(: \w+)?(, )?", "", ast.unparse(node.args))
    code = f"{name}({arguments})"
    return f"### `{name}`\n\n```python\n{code}\n```\n\n{prose(function.__doc__)}\n"


PAGES = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "hooks.md": hooks_page,
    "errors.md": errors_page,
    "rest.md": rest_page,
}


def page_text(page: Callable[[], str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", page()).rstrip("\n") + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page_text(page), encoding="utf-8")
