"""How a plugin is named that no distribution brings: by its module, or by the file of that.

`MODULE`, `MODULE:ATTRIBUTE`, `FILE.py` or `FILE.py:ATTRIBUTE`, on the command line and in the
settings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from qehost.config.sources import expanded

__all__ = ["FORMS", "PluginModule", "names_a_file", "parse", "with_absolute_file"]

FORMS = "MODULE or FILE.py, either with :ATTRIBUTE or not"

ATTRIBUTE = r"(:(?P<attribute>\w+(\.\w+)*))?"
MODULE = re.compile(rf"(?P<module>\w+(\.\w+)*){ATTRIBUTE}")
FILE = re.compile(rf"(?P<file>.+\.py){ATTRIBUTE}", re.DOTALL)


PACKAGE = "__init__.py"
"""Its folder is the module."""


class PluginModule(NamedTuple):
    """What such a text names."""

    name: str
    """The module's."""
    attribute: str
    """`""`: the module itself, or its class `Plugin`."""
    file: Path | None
    """Where the module is; None: wherever Python finds it."""

    @property
    def folder(self) -> Path | None:
        """What is to be on the import path."""
        if self.file is None:
            return None
        above = self.file.absolute().parent
        return above.parent if self.file.name == PACKAGE else above

    @property
    def value(self) -> str:
        """As an entry point has it."""
        return f"{self.name}:{self.attribute}" if self.attribute else self.name


def names_a_file(text: str) -> bool:
    return FILE.fullmatch(text) is not None


def parse(text: str) -> PluginModule:
    """Raises `ValueError`."""
    if found := FILE.fullmatch(text):
        file = expanded(Path(), found["file"])
        if not file.is_file():
            raise ValueError(f"there is no file {file}")
        name = file.absolute().parent.name if file.name == PACKAGE else file.stem
        if "." in name:
            raise ValueError(f"the name of a module has no dot in it: rename {name}")
        return PluginModule(name, found["attribute"] or "", file)
    if found := MODULE.fullmatch(text):
        return PluginModule(found["module"], found["attribute"] or "", None)
    raise ValueError(f"a plugin is named by {FORMS}")


def with_absolute_file(text: str, folder: Path) -> str:
    """The same, a relative file counted from `folder`.  Raises `ValueError`."""
    found = FILE.fullmatch(text)
    if found is None:
        return text
    return f"{expanded(folder, found['file'])}{text.removeprefix(found['file'])}"
