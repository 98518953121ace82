"""`qehost new-plugin`: a complete package for a new plugin."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import click

from qehost.cli.failure import handle_errors
from qehost.cli.help import Command
from qehost.cli.plugin_package import Kind, package_files
from qehost.config.suggest import suggestion
from qehost.errors import Error
from qehost.host.arguments import HOOKS
from qehost.host.discovery import installed

__all__ = ["command"]

DEFAULT_HOOKS = "on_master_order,on_fill,on_error"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_LENGTH = 32  # as for every name in the settings


@click.command(
    cls=Command,
    examples={
        "qehost new-plugin large-fills --hooks on_fill": "makes qehost-large-fills/",
        "qehost new-plugin ledger --sink": "one that writes into a database",
    },
)
@click.argument("name")
@click.option(
    "--hooks",
    metavar="HOOK,…",
    help=f'The hooks that it implements; "all" for every one.  [default: {DEFAULT_HOOKS}]',
)
@click.option(
    "--async",
    "kind",
    flag_value="async",
    help="One whose hooks are coroutines: it sends fills over a connection that it keeps.",
)
@click.option(
    "--sink",
    "kind",
    flag_value="sink",
    help="One that writes fills into a database: on_batch, Retry, a transaction.",
)
@click.option(
    "--guard",
    "kind",
    flag_value="guard",
    help="One that acts on orders: a dry run first, nothing twice, unknown outcomes are asked.",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to make.  [default: qehost-NAME]",
)
@handle_errors
def command(name: str, hooks: str | None, kind: Kind | None, folder: Path | None) -> None:
    """Make a package for a new plugin: code, tests, README, tox and CI, ready to install and run.

    NAME is the plugin's name: lower-case words joined by hyphens.  The distribution is called
    qehost-NAME, the module qehost_NAME.
    """
    _check_name(name)
    if hooks is not None and kind is not None:
        raise click.UsageError(f"--{kind} has hooks of its own: leave out --hooks")
    chosen = _chosen_hooks(hooks or DEFAULT_HOOKS)
    folder = folder or Path(f"qehost-{name}")
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} exists and is not empty: choose another with --dir")
    files = package_files(name, chosen, version("qehost"), kind or "plain")
    try:
        for path, text in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Error(f"{error.filename}: can't be written: {error.strerror}") from None
    for path in files:
        click.echo(folder / path)
    for other in installed():
        if other.is_called(name):
            click.echo(
                f"Note: {other.source} has a plugin called {other.name}, too. Of two installed "
                "plugins of one name neither is loaded: uninstall or block one.",
                err=True,
            )
    click.echo(
        f"""
Next:

  cd {folder}
  python -m pip install -e . pytest tox
  python -m pytest
  tox run
  qehost run --simulate --duration 10
"""
    )


def _check_name(name: str) -> None:
    reason = ""
    if name.lower().startswith(("qehost-", "qehost_")):
        reason = "the distribution is called qehost-NAME anyway"
    elif len(name) > MAX_LENGTH:
        reason = f"a plugin's name has {MAX_LENGTH} characters at most"
    elif not NAME.fullmatch(name):
        reason = "a plugin's name is made of lower-case letters, digits and hyphens, a letter first"
    if reason:
        valid = _valid_name_like(name)
        hint = f"; how about {valid}?" if valid else ""
        raise click.BadParameter(f"{name!r}: {reason}{hint}", param_hint="NAME")


def _valid_name_like(name: str) -> str:
    """The valid name that is nearest to this one, or `""`."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).removeprefix("qehost-")
    return re.sub(r"^[0-9-]+", "", words)[:MAX_LENGTH].strip("-")


def _chosen_hooks(hooks: str) -> list[str]:
    if hooks == "all":
        return list(HOOKS)
    chosen = [hook.strip() for hook in hooks.split(",") if hook.strip()]
    for hook in chosen:
        if hook not in HOOKS:
            hint = suggestion(hook, HOOKS) or f" (the hooks are {', '.join(HOOKS)})"
            raise click.BadParameter(f"{hook} is no hook{hint}", param_hint="--hooks")
    if not chosen:
        raise click.BadParameter("a plugin needs one hook at least", param_hint="--hooks")
    return chosen
