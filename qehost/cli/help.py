"""How the help of a command looks: its options by subject, then examples; the nearest command."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["Command", "Group"]

# Subject → names of parameters, in whichever command they are.  All others are plain options.
SUBJECTS = {
    "Local venue": ("simulate", "faults"),
    "Plugins": ("specs", "strict", "debugged"),
    "Events": ("kinds", "symbol", "order_id", "since", "until", "from_seq", "to_seq", "file"),
    "Venue": ("ws_url", "rest_url", "insecure", "protocol", "listen_key"),
    "Log": ("log_level", "log_format"),
    "Limits of --check": ("max_down", "max_behind", "max_lag", "max_dead_letters", "max_gap_age"),
    "Settings and state": ("config_file", "state_dir"),
}
SUBJECT_OF = {name: subject for subject, names in SUBJECTS.items() for name in names}
OTHERS = "Options"


class _WithExamples:
    """`examples`: a command line → what it does."""

    def __init__(
        self, *args: Any, examples: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = dict(examples or {})

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_dl(list(self.examples.items()), col_max=48)


class Command(_WithExamples, click.Command):
    """A command whose options stand under their subjects."""

    def by_subject(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Subject → each option, and what it does.  The command's own come first."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            # Arguments, too, from click 8.5 on; the usage names them.
            if record and isinstance(parameter, click.Option):
                found[SUBJECT_OF.get(parameter.name or "", OTHERS)].append(record)
        return {subject: found[subject] for subject in (OTHERS, *SUBJECTS) if subject in found}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for subject, records in self.by_subject(ctx).items():
            with formatter.section(subject):
                formatter.write_dl(records)


class Group(_WithExamples, click.Group):
    """A group that suggests the nearest of its commands."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            # click suggests one from 8.4 on, and knows none that are imported on demand.
            if args[0].startswith("-"):
                raise
            from qehost.config.suggest import suggestion  # and all of config, which help needs not

            near = suggestion(args[0], self.list_commands(ctx))
            raise click.UsageError(f"there is no command {args[0]}{near}", ctx) from None
