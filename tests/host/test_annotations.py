"""An argument that is annotated as what it never is; what is annotated is not run."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import qehost.messages
from qehost.host.annotations import KNOWN, wrong_annotation
from qehost.host.arguments import HOOKS, parameters
from qehost.messages import FillMessage, OrderMessage


def wrong(hook: str, **annotations: Any) -> list[str]:
    found = [
        wrong_annotation(
            hook,
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation),
        )
        for name, annotation in annotations.items()
    ]
    return [each for each in found if each]


@pytest.mark.parametrize(
    "annotation",
    [OrderMessage, "OrderMessage", "messages.OrderMessage", "qehost.messages.OrderMessage"],
)
def test_a_message_of_another_kind_is_found(annotation: Any) -> None:
    assert wrong("on_fill", message=annotation) == ["OrderMessage"]


@pytest.mark.parametrize(
    ("hook", "argument", "annotation"),
    [
        ("on_fill", "detail", "FillMessage"),
        ("on_fill", "event", "OrderEvent"),
        ("on_fill", "message", "FillEvent"),
        ("on_status", "status", "StatusEvent"),
        ("on_start", "context", "FillMessage"),
        ("on_connected", "event", "Connected"),
        ("on_batch", "events", "FillEvent"),
        ("on_tick", "now", "Event"),
        ("on_fill", "message", "'OrderMessage'"),
    ],
)
def test_it_is_found_in_every_argument(hook: str, argument: str, annotation: str) -> None:
    assert wrong(hook, **{argument: annotation}) == [annotation.strip("'")]


@pytest.mark.parametrize(
    "annotation",
    [
        "FillMessage",
        FillMessage,
        "Any",
        "object",
        "OrderMessage | FillMessage",
        "Optional[OrderMessage]",
        "Annotated[OrderMessage, 1]",
        "MyFill",
        "BaseThirdPartyMessage",
        inspect.Parameter.empty,
        Any,
        None,
        "not valid (",
        "(" * 5000,
    ],
)
def test_what_may_be_right_passes(annotation: Any) -> None:
    assert wrong("on_fill", message=annotation) == []


def test_the_base_of_all_events_and_a_member_of_a_union_pass() -> None:
    for hook, names in HOOKS.items():
        if "event" in names:
            assert wrong(hook, event="Event") == []
            assert wrong(hook, event="AnyEvent") == []
    assert wrong("on_raw_message", event="FillEvent") == []
    assert wrong("on_error", event="ErrorEvent") == []


def test_every_hooks_own_annotations_pass() -> None:
    for hook in HOOKS:
        for parameter in parameters(getattr(qehost.hookspecs, hook)).values():
            assert wrong_annotation(hook, parameter) == ""


def test_nothing_is_evaluated(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    text = f"open({str(trace)!r}, 'w').close() or OrderMessage"
    ast.parse(text, mode="eval")
    assert wrong("on_fill", message=text) == []
    assert not trace.exists()


def test_a_class_of_the_authors_with_one_of_our_names_passes() -> None:
    class OrderMessage:
        pass

    assert "OrderMessage" in KNOWN
    assert wrong("on_fill", message=OrderMessage) == []
