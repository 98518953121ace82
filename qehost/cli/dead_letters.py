"""`qehost journal dead-letters`: events that plugins could not handle."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from qehost.cli.help import Command
from qehost.cli.journal_table import print_letter, print_letters
from qehost.cli.json_output import pretty_json
from qehost.cli.options import state_folder_options
from qehost.cli.units import format_count
from qehost.events.codec import decode_events
from qehost.secret import redact
from qehost.storage.dead_letters import DeadLetter, DeadLetters
from qehost.storage.state_folder import StateFolder

__all__ = ["dead_letters"]


@click.command(
    "dead-letters",
    cls=Command,
    examples={
        "qehost journal dead-letters 17": "one, with traceback and text",
        "qehost journal dead-letters --retry all": "when the plugin is mended",
    },
)
@state_folder_options
@click.argument("ids", type=int, nargs=-1)
@click.option("--retry", multiple=True, metavar="ID|all", help="Deliver again. Repeatable.")
@click.option("--purge", multiple=True, metavar="ID|delivered|all", help="Remove. Repeatable.")
@click.option("--plugin", default="", help="Those of this plugin alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array, an object for each letter.")
def dead_letters(
    folder: StateFolder,
    ids: tuple[int, ...],
    retry: tuple[str, ...],
    purge: tuple[str, ...],
    plugin: str,
    as_json: bool,
) -> None:
    """Events that a plugin could not handle: its hook raised, or its process died of them.

    With IDS these alone, with traceback and text. --retry has a running qehost deliver them again
    to that plugin within about a second, and otherwise the next run when it starts.
    """
    if retry and purge:
        raise click.UsageError("--retry and --purge do not go together.")
    if ids and (retry or purge):
        # `1 --purge all` could mean either.
        raise click.UsageError("IDS are for showing: write --retry ID or --purge ID.")
    if not folder.has_dead_letters():
        if ids or set(retry) - {"all"} or set(purge) - {"all", "delivered"}:
            raise click.UsageError(f"There are no dead letters in {folder.path}.")
        click.echo("[]" if as_json else f"No dead letters in {folder.path}.")
        return
    with DeadLetters(folder.dead_letters_file) as letters:
        if retry:
            _retry(letters, retry, plugin)
        elif purge:
            _purge(letters, purge, plugin)
        else:
            _show(folder, letters, ids, plugin, as_json)


def _retry(letters: DeadLetters, which: tuple[str, ...], plugin: str) -> None:
    if "all" in which:
        marked = letters.mark([x.id for x in letters.letters(plugin=plugin, state="dead")])
    else:
        marked = letters.mark(_existing(letters, _ids("--retry", which, "all"), plugin))
    click.echo(f"{len(marked)} to be delivered again")


def _purge(letters: DeadLetters, which: tuple[str, ...], plugin: str) -> None:
    if "all" in which:
        count = letters.purge(plugin=plugin)
    else:
        ids = _ids("--purge", tuple(x for x in which if x != "delivered"), "delivered or all")
        ids = _existing(letters, ids, plugin)
        count = letters.purge(plugin=plugin, state="delivered") if "delivered" in which else 0
        count += letters.purge(ids=ids) if ids else 0
    click.echo(f"{count} removed")


def _show(
    folder: StateFolder, letters: DeadLetters, ids: tuple[int, ...], plugin: str, as_json: bool
) -> None:
    found = letters.letters(ids=_existing(letters, set(ids), plugin), plugin=plugin)
    if as_json:
        click.echo(pretty_json([_letter_dict(letter) for letter in found]))
    elif ids:
        for letter in found:
            print_letter(letter, decode_events(letter.event)[0])
    elif found:
        print_letters(found)
    else:
        click.echo(f"No dead letters in {folder.path}.")
    for name, count in letters.left_out().items():
        if plugin in ("", name):
            click.echo(
                f"plugin {name}: {format_count(count, 'more was', 'more were')} only counted, "
                "since it has so many",
                err=True,
            )


def _ids(option: str, texts: tuple[str, ...], words: str) -> set[int]:
    try:
        return {int(text) for text in texts}
    except ValueError:
        raise click.UsageError(f"{option} takes the number of a letter, or {words}.") from None


def _existing(letters: DeadLetters, ids: set[int], plugin: str) -> set[int]:
    """The same numbers, checked: each is one of a letter, and of that plugin if one is named."""
    possible = [id_ for id_ in ids if abs(id_) < 2**63]  # SQLite takes no larger numbers.
    known = {each.id: each.plugin for each in letters.letters(ids=possible)} if possible else {}
    if missing := sorted(ids - set(known)):
        raise click.UsageError(f"There is no dead letter {', '.join(map(str, missing))}.")
    if others := sorted(i for i in ids if plugin not in ("", known[i])):
        texts = ", ".join(f"{i} is one of plugin {known[i]}" for i in others)
        raise click.UsageError(f"Not of plugin {plugin}: dead letter {texts}.")
    return ids


def _letter_dict(letter: DeadLetter) -> dict[str, Any]:
    fields = msgspec.structs.asdict(letter)
    event = decode_events(letter.event)[0].as_dict()
    return {**fields, "detail": redact(letter.detail), "event": event}
