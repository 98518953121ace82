"""Search in pages of which some are English and some Chinese.

Chinese has no spaces between words.  Each pair of neighbouring characters counts as one, in the
index as in what is searched for, so that no dictionary is needed.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

HAN = re.compile(r"[\u3400-\u9fff]+")


def pairs(text: str) -> list[str]:
    return [text[i : i + 2] for i in range(len(text) - 1)] or [text]


class SearchBoth(SearchEnglish):
    lang = "en"
    js_splitter_code = r"""
function splitQuery(query) {
  const words = query.split(/[^\p{Letter}\p{Number}_]+/gu).filter((word) => word);
  return words.flatMap((word) =>
    word.split(/([\u3400-\u9fff]+)/u).filter((part) => part).flatMap((part) =>
      /[\u3400-\u9fff]/u.test(part) && part.length > 1
        ? Array.from({ length: part.length - 1 }, (_, i) => part.slice(i, i + 2))
        : [part]));
}
"""

    def split(self, input: str) -> list[str]:  # noqa: A002 — Sphinx's name
        chinese = [pair for run in HAN.findall(input) for pair in pairs(run)]
        return [*super().split(HAN.sub(" ", input)), *chinese]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_search_language(SearchBoth)
    return {"parallel_read_safe": True}
