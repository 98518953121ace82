"""docs/fields.md is what `docs/make_fields.py` makes of the code, and every field is in it."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from qehost import messages

DOCS = Path(__file__).parents[1] / "docs"
UNITS = {
    "a fraction of 1",
    "epoch milliseconds",
    "epoch nanoseconds",
    "epoch seconds",
    "seconds",
    "the base currency, or contracts",
    "the currency that is the key",
    "the quote currency",
}
PLAIN_NUMBERS = {"attempt", "code", "seq"}


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = spec_from_file_location("make_fields", DOCS / "make_fields.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_program_makes(program: ModuleType) -> None:
    made = program.page()
    written = (DOCS / "fields.md").read_text(encoding="utf-8")
    assert written == made, "the code has changed: python docs/make_fields.py"


def test_every_field_has_its_meaning_and_every_number_its_unit(program: ModuleType) -> None:
    documented = program.documented()
    for struct in program.TITLES:
        for name, (annotation, text) in documented[struct].items():
            assert text, f"{struct}.{name} has no docstring"
            unit, meaning = program.unit_of(text)
            assert meaning.endswith("."), (struct, name)
            if re.search(r"\b(Decimal|float|int)\b", annotation) and name not in PLAIN_NUMBERS:
                assert unit in UNITS, (struct, name, unit)
            else:
                assert not unit, (struct, name, unit)


def test_the_page_has_every_field_of_message_and_detail(program: ModuleType) -> None:
    documented = program.documented()
    for struct in program.TITLES:
        fields = set(getattr(messages, struct).__struct_fields__)
        assert fields <= documented[struct].keys()
    events: list[Any] = [each for each in vars(messages).values() if isinstance(each, type)]
    told = {
        field.type.__name__
        for event in events
        if issubclass(event, messages.Event)
        for field in msgspec.structs.fields(event)
        if field.name == "message"
        and isinstance(field.type, type)
        and issubclass(field.type, msgspec.Struct)
    }
    assert told <= program.TITLES.keys()


def test_every_name_of_the_venue_leads_to_a_field(program: ModuleType) -> None:
    for struct, sources in program.SOURCES.items():
        if struct.endswith("Detail") and struct != "FillDetail":
            example, read = sources[1]
            found = program.venue_names(struct, example, read)
            assert set(example) <= {name for names in found.values() for name in names}
            assert all(found.values()), struct


def test_the_names_are_those_by_which_messages_are_read(program: ModuleType) -> None:
    example, read = program.SOURCES["OrderMessage"][1]
    found = program.venue_names("OrderMessage", example, read)
    assert found["order_id"] == ["orderId", "id"]
    assert found["quantity_remaining"] == ["filledQuantity", "quantity"]
    assert found["timestamp"] == ["updatedAt", "createdAt"]
    assert found["cancel_time"] == []


def test_the_page_of_plugins_leads_there() -> None:
    assert "(fields.md)" in (DOCS / "plugins.md").read_text(encoding="utf-8")
