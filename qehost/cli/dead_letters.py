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
        wanted = _ids("--retry", which, "all")
        marked = letters.mark(wanted)
        _refuse_missing(wanted - set(marked))
    click.echo(f"{len(marked)} to be delivered again")


def _purge(letters: DeadLetters, which: tuple[str, ...], plugin: str) -> None:
    if "all" in which:
        count = letters.purge(plugin=plugin)
    else:
        count = letters.purge(plugin=plugin, state="delivered") if "delivered" in which else 0
        if ids := _ids("--purge", tuple(x for x in which if x != "delivered"), "delivered or all"):
            there = {letter.id for letter in letters.letters(ids=ids)}
            count += letters.purge(ids=ids)
            _refuse_missing(ids - there)
    click.echo(f"{count} removed")


def _show(letters: DeadLetters, ids: tuple[int, ...], plugin: str, as_json: bool) -> None:
    found = letters.letters(ids=ids, plugin=plugin)
    _refuse_missing(set(ids) - {letter.id for letter in found})
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


def _refuse_missing(ids: set[int]) -> None:
    if ids:
        raise click.UsageError(f"There is no dead letter {', '.join(map(str, sorted(ids)))}.")


def _letter_dict(letter: DeadLetter) -> dict[str, Any]:
    fields = msgspec.structs.asdict(letter)
    return {**fields, "event": decode_events(letter.event)[0].as_dict()}
