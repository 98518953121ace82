"""`qehost journal dead-letters`: what plugins could not take."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from qehost.cli.journal_table import pretty_json, print_letter, print_letters
from qehost.cli.state_folder import where
from qehost.host.dead_letters import DeadLetter, DeadLetters
from qehost.records import decode_events
from qehost.state import StateFolder

__all__ = ["dead_letters"]


@click.command("dead-letters")
@where
@click.argument("ids", type=int, nargs=-1)
@click.option("--retry", multiple=True, metavar="ID|all", help="Deliver again. Repeatable.")
@click.option("--purge", multiple=True, metavar="ID|delivered|all", help="Remove. Repeatable.")
@click.option("--plugin", default="", help="Of this plugin alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array, an object for each letter.")
def dead_letters(
    folder: StateFolder,
    ids: tuple[int, ...],
    retry: tuple[str, ...],
    purge: tuple[str, ...],
    plugin: str,
    as_json: bool,
) -> None:
    """Events that a plugin could not take: its hook raised, or its process died of them.

    With IDS these alone, with traceback and text. --retry has a running qehost deliver them again
    to that plugin within a second or so, and one that is started later when it starts.
    """
    if retry and purge:
        raise click.UsageError("--retry and --purge do not go together.")
    if ids and (retry or purge):
        # `1 --purge all` must not be taken for either.
        raise click.UsageError("IDS are for showing: write --retry ID or --purge ID.")
    if not folder.has_dead_letters():
        if ids or set(retry) - {"all"} or set(purge) - {"all", "delivered"}:
            raise click.UsageError(f"There are no dead letters in {folder.path}.")
        click.echo("[]" if as_json else "No dead letters.")
        return
    with DeadLetters(folder.dead_letters_file) as letters:
        if retry:
            _retry(letters, retry, plugin)
        elif purge:
            _purge(letters, purge, plugin)
        else:
            _show(letters, ids, plugin, as_json)


def _retry(letters: DeadLetters, which: tuple[str, ...], plugin: str) -> None:
    if "all" in which:
        marked = letters.mark([x.id for x in letters.letters(plugin=plugin, state="dead")])
    else:
        marked = letters.mark(_there(letters, _ids("--retry", which, "all"), plugin))
    click.echo(f"{len(marked)} to be delivered again")


def _purge(letters: DeadLetters, which: tuple[str, ...], plugin: str) -> None:
    if "all" in which:
        count = letters.purge(plugin=plugin)
    else:
        ids = _ids("--purge", tuple(x for x in which if x != "delivered"), "delivered or all")
        ids = _there(letters, ids, plugin)
        count = letters.purge(plugin=plugin, state="delivered") if "delivered" in which else 0
        count += letters.purge(ids=ids) if ids else 0
    click.echo(f"{count} removed")


def _show(letters: DeadLetters, ids: tuple[int, ...], plugin: str, as_json: bool) -> None:
    found = letters.letters(ids=_there(letters, set(ids), plugin), plugin=plugin)
    if as_json:
        click.echo(pretty_json([_letter_dict(letter) for letter in found]))
    elif ids:
        for letter in found:
            print_letter(letter, decode_events(letter.event)[0])
    elif found:
        print_letters(found)
    else:
        click.echo("No dead letters.")
    for name, count in letters.left_out().items():
        if plugin in ("", name):
            click.echo(
                f"plugin {name}: {count:,} more were only counted, since it has so many", err=True
            )


def _ids(option: str, texts: tuple[str, ...], words: str) -> set[int]:
    try:
        return {int(text) for text in texts}
    except ValueError:
        raise click.UsageError(f"{option} takes the number of a letter, or {words}.") from None


def _there(letters: DeadLetters, ids: set[int], plugin: str) -> set[int]:
    """The same numbers, if there is a letter of each, and of that plugin, if one is named."""
    possible = [id_ for id_ in ids if abs(id_) < 2**63]  # SQLite takes no larger numbers.
    known = {each.id: each.plugin for each in letters.letters(ids=possible)} if possible else {}
    if missing := sorted(ids - set(known)):
        raise click.UsageError(f"There is no dead letter {', '.join(map(str, missing))}.")
    if others := sorted(i for i in ids if plugin not in ("", known[i])):
        told = ", ".join(f"{i} is one of plugin {known[i]}" for i in others)
        raise click.UsageError(f"Not of plugin {plugin}: dead letter {told}.")
    return ids


def _letter_dict(letter: DeadLetter) -> dict[str, Any]:
    fields = msgspec.structs.asdict(letter)
    return {**fields, "event": decode_events(letter.event)[0].as_dict()}
