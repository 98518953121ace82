"""What the text of a target means, and that none is shown."""

from __future__ import annotations

import pytest
from qehost.errors import PluginError
from qehost.secret import Secret
from qehost.testing import PluginHost

from qehost_notify import Notify
from qehost_notify.settings import NO_TARGETS, Config
from qehost_notify.targets import parse_target

TELEGRAM = "telegram://123456:ABCDEFghijklmnopqrstuvw/-100"


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("https://example.org/a?b=c", "https", "https://example.org/a?b=c"),
        (
            "dingtalk://tok",
            "dingtalk",
            "https://oapi.dingtalk.com/robot/send?access_token=tok",
        ),
        (
            "https://oapi.dingtalk.com/robot/send?access_token=tok",
            "dingtalk",
            "https://oapi.dingtalk.com/robot/send?access_token=tok",
        ),
        ("wecom://tok", "wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=tok"),
        ("feishu://tok", "feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/tok"),
        ("lark://s@tok", "lark", "https://open.larksuite.com/open-apis/bot/v2/hook/tok"),
        (
            TELEGRAM,
            "telegram",
            "https://api.telegram.org/bot123456:ABCDEFghijklmnopqrstuvw/sendMessage",
        ),
        ("slack://T1/B2/x3", "slack", "https://hooks.slack.com/services/T1/B2/x3"),
        (
            "wecom://tok?server=http://gate:8080",
            "wecom",
            "http://gate:8080/cgi-bin/webhook/send?key=tok",
        ),
    ],
)
def test_forms(text: str, kind: str, address: str) -> None:
    target = parse_target(1, Secret(text))
    assert (target.label, target.service.address) == (f"{kind} #1", address)


@pytest.mark.parametrize(
    "text",
    [
        "s3cretword",
        "s3cretword://",
        "https://user:s3cretword@example.org/",
        "https:///s3cretword",
        "telegram://s3cretword",
        "slack://s3cretword",
        "dingtalk://a b/s3cretword",
        "nosuchservice://s3cretword",
    ],
)
def test_what_is_wrong_is_said_without_it(text: str) -> None:
    with pytest.raises(PluginError, match=r"targets\[1\]|targets") as refused:
        PluginHost(Notify, {"targets": ["https://example.org/x", text]})
    assert "s3cretword" not in str(refused.value)


def test_the_parts_of_a_target_are_secrets_of_their_own() -> None:
    from qehost.secret import redact

    parse_target(1, Secret(TELEGRAM))
    assert "ABCDEFghijklmnopqrstuvw" not in redact("bot123456:ABCDEFghijklmnopqrstuvw failed")


def test_a_target_keeps_its_name_wherever_it_stands() -> None:
    one, other = Secret("https://example.org/1"), Secret("https://example.org/2")
    assert parse_target(1, one).name == parse_target(2, one).name != parse_target(2, other).name


def test_a_target_stands_there_once() -> None:
    """A rule may name either of its numbers."""
    twice = ["https://example.org/s3cretword", "wecom://k", "https://example.org/s3cretword"]
    with pytest.raises(
        PluginError, match=r"targets\[2\]: it is the same as targets\[0\]"
    ) as refused:
        PluginHost(Notify, {"targets": twice})
    assert "s3cretword" not in str(refused.value)


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"when": []}, "when"),
        ({"when": ["fills"]}, "when"),
        ({"when": ["fill"], "every": "5"}, "every: '5' is no duration: write 90s"),
        ({"when": ["fill"], "quiet": "22-7"}, "quiet: expected two times of day"),
        ({"when": ["fill"], "template": "{symbl}"}, "template"),
        ({"when": ["fill"], "template": "{symbol.__class__}"}, "template"),
        ({"when": ["fill"], "targets": [2]}, "targets"),
        ({"when": ["fill"], "notional": -1}, "notional"),
        ({"when": ["fill"], "symbol": ["A"]}, "symbols"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(rule: dict[str, object], place: str) -> None:
    with pytest.raises(PluginError, match=place) as refused:
        PluginHost(Notify, {"targets": ["https://example.org/x"], "rules": [rule]})
    assert "rules" in str(refused.value)


def test_without_targets_a_check_says_so_and_is_no_reason_against_a_start() -> None:
    # Before it reaches anything it asks the context for nothing.
    assert Config().check(None) == NO_TARGETS  # type: ignore[arg-type]
