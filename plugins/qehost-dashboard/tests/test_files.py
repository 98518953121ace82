"""What the page consists of: words, foreign files, nothing from elsewhere."""

import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

PAGE = Path(str(resources.files("qehost_dashboard").joinpath("page")))
WORDS = {lang: json.loads((PAGE / f"{lang}.json").read_text()) for lang in ("en", "zh")}
SCRIPTS = "".join(path.read_text() for path in sorted(PAGE.glob("*.js")))
PAGES = ["index.html", "login.html"]


@pytest.mark.parametrize("folder", [PAGE / "vendor", Path(__file__).parent / "vendor"])
def test_foreign_files_are_as_their_makers_published_them_and_have_their_licence(folder):
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in map(str.split, lines)}
    assert {path.name for path in folder.iterdir()} == {*sums, "SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    assert any(name.endswith(".LICENSE") for name in sums)


def test_both_languages_have_the_same_words():
    assert list(WORDS["en"]) == list(WORDS["zh"])
    for key, text in WORDS["en"].items():
        places = re.findall(r"\{\w+\}", text)
        assert sorted(places) == sorted(re.findall(r"\{\w+\}", WORDS["zh"][key])), key


def test_each_word_that_the_page_asks_for_is_there_and_each_one_is_asked_for():
    asked = set(re.findall(r'\bt\(\s*"([\w-]+)"', SCRIPTS))
    asked |= set(re.findall(r'data-t(?:-\w+)?="([\w-]+)"', "".join(html() for html in texts())))
    asked |= set(
        re.findall(r'"(legend-\w+|login-\w+|seen-\w+|guard-(?:armed|dry)|loading)"', SCRIPTS)
    )
    asked |= {f"col-{key}" for key in re.findall(r'\{\s*key: "([\w-]+)"', SCRIPTS)}
    asked |= set(re.findall(r'"([\w-]+-caption)"', SCRIPTS))
    assert asked - set(WORDS["en"]) == set()
    prefixes = set(re.findall(r"(?:\bt|known)\(\s*[`\"]([a-z-]+?)-?(?:\$\{|\")", SCRIPTS))
    unused = {
        key
        for key in WORDS["en"]
        if key not in asked
        and not any(key.startswith(f"{prefix}-") for prefix in prefixes)
        and f'"{key}"' not in SCRIPTS
    }
    unused = {key for key in unused if not key.endswith(("-none", "-caption"))}
    assert unused == set()


def texts():
    return [(PAGE / name).read_text for name in PAGES]


class Found(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts, self.attributes = [], []

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_words_of_its_own_and_nothing_inline_or_from_elsewhere(name):
    found = Found()
    found.feed((PAGE / name).read_text())
    assert set(found.texts) == {"qehost"}
    names = {key for key, _ in found.attributes}
    assert not {key for key in names if key == "style" or key.startswith("on")}
    for key, value in found.attributes:
        if key in ("src", "href"):
            assert value.startswith(("static/", "#"))


def test_scripts_make_no_markup_out_of_text_and_ask_nobody_else():
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", SCRIPTS)
    assert not re.search(r"https?://", SCRIPTS + (PAGE / "style.css").read_text())
