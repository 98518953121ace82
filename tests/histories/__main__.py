"""`python -m tests.histories --seeds 100000`"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter

from .making import make
from .playing import played
from .shrinking import shrunk
from .story import Story
from .telling import in_words


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--show", type=int, default=3, help="failing stories that are told")
    parser.add_argument("--kind", default="", help="only findings of this kind")
    parser.add_argument("--whole", action="store_true", help="do not make stories shorter")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    kinds: Counter[str] = Counter()
    failed: list[int] = []
    events, began = 0, time.process_time()
    for seed in range(options.first, options.first + options.seeds):
        story = make(seed)
        _, told, _, findings = played(story)
        events += len(told)
        findings = [each for each in findings if options.kind in each.kind]
        if not findings:
            continue
        failed.append(seed)
        kinds.update({each.kind for each in findings})
        if len(failed) <= options.show:
            kind = findings[0].kind

            def fails(shorter: Story, kind: str = kind) -> bool:
                return any(each.kind == kind for each in played(shorter)[3])

            shortest = story if options.whole else shrunk(story, fails)
            venue, told, heard, findings = played(shortest)
            print(in_words(shortest, venue, told, heard))
            print(*(f"    !!! {each}" for each in findings), "", sep="\n")
    spent = time.process_time() - began
    print(
        f"{options.seeds} histories, {events} events, {spent:.0f} s "
        f"({spent / max(1, options.seeds) * 1000:.1f} ms each); {len(failed)} failed"
    )
    for kind, count in kinds.most_common():
        print(f"    {count:6} {kind}")
    if failed:
        print("seeds:", *failed[:40])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
