"""`qehost new-plugin`: a package to start from, complete and running."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import click

from qehost.cli.failure import failing_clearly
from qehost.cli.plugin_package import DEFAULT_HOOKS, EXAMPLES, files
from qehost.errors import Error
from qehost.host.finding import installed
from qehost.names import suggestion

__all__ = ["command"]

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 32  # as everywhere that names stand in settings


@click.command()
@click.argument("name")
@click.option(
    "--hooks",
    default=",".join(DEFAULT_HOOKS),
    show_default=True,
    metavar="HOOK,…",
    help='The hooks it begins with; "all" for every one.',
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to make.  [default: qehost-NAME]",
)
@failing_clearly
def command(name: str, hooks: str, folder: Path | None) -> None:
    """Make a package for a new plugin: code, tests, README, ready to install and run.

    NAME is the plugin's name: lower-case words joined by hyphens.  The distribution is called
    qehost-NAME, the module qehost_NAME.
    """
    _check_name(name)
    chosen = _chosen(hooks)
    folder = folder or Path(f"qehost-{name}")
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} exists and is not empty: choose another with --dir")
    made = files(name, chosen, version("qehost"))
    try:
        for path, text in made.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Error(f"{error.filename}: can't be written: {error.strerror}") from None
    for path in made:
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
  python -m pip install -e . pytest
  python -m pytest
  qehost run --simulate --duration 10
"""
    )


def _check_name(name: str) -> None:
    why = ""
    if name.lower().startswith(("qehost-", "qehost_")):
        why = "the distribution is called qehost-NAME anyway"
    elif len(name) > LONGEST:
        why = f"a plugin's name has {LONGEST} characters at most"
    elif not NAME.fullmatch(name):
        why = "a plugin's name is made of lower-case letters, digits and hyphens, a letter first"
    if why:
        fitting = _fitting(name)
        hint = f"; how about {fitting}?" if fitting else ""
        raise click.BadParameter(f"{name!r}: {why}{hint}", param_hint="NAME")


def _fitting(name: str) -> str:
    """The valid name nearest to this one, or `""`."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).removeprefix("qehost-")
    return re.sub(r"^[0-9-]+", "", words)[:LONGEST].strip("-")


def _chosen(hooks: str) -> list[str]:
    if hooks == "all":
        return list(EXAMPLES)
    chosen = [hook.strip() for hook in hooks.split(",") if hook.strip()]
    for hook in chosen:
        if hook not in EXAMPLES:
            hint = suggestion(hook, EXAMPLES) or f" (the hooks are {', '.join(EXAMPLES)})"
            raise click.BadParameter(f"{hook} is no hook{hint}", param_hint="--hooks")
    if not chosen:
        raise click.BadParameter("a plugin needs one hook at least", param_hint="--hooks")
    return chosen
