"""`python benchmarks/accounts.py`: 1, 5 and 20 accounts in one `qehost run`.

Each account has a connection process, and one host process has the plugins of all.  The blast is
shared between the accounts: on a machine that is busy with one account, more of them share what it
can do; how memory grows is theirs.
"""

from __future__ import annotations

from bench import running
from blast import Server
from instrument import Sizes, command
from programs import Qehost
from table import Better, Row

__all__ = ["ACCOUNTS", "Accounts"]

ACCOUNTS = (1, 5, 20)
SECTION = "accounts"


class Accounts:
    """Measured in every second round, since twenty processes take their time to start."""

    def __init__(self, server: Server, sizes: Sizes, accounts: tuple[int, ...] = ACCOUNTS) -> None:
        self._server = server
        self._sizes = sizes

        def rows(name: str, unit: str, better: Better) -> dict[int, Row]:
            return {n: Row(SECTION, f"{_of(n)}: {name}", unit, better, n) for n in accounts}

        self._rate = rows("throughput of all", "messages/s", "more")
        self._rate_each = rows("throughput of each", "messages/s", "more")
        self._cpu = rows("CPU of a message", "µs", "less")
        self._memory = rows("memory", "MiB", "less")
        self._further = rows("memory of each further account", "MiB", "less")
        self._start = rows("start to first message", "ms", "less")

    @property
    def rows(self) -> list[Row]:
        found = [self._rate, self._rate_each, self._cpu]
        found += [self._memory, self._further, self._start]
        return [row for rows in found for row in rows.values()]

    def run(self, number: int) -> None:
        if number % 2:
            return
        for count in self._rate:
            with running(self._server, Qehost, accounts=count) as bench:
                memory = bench.memory()["all"]
                taken = bench.blast(self._sizes.messages)
            self._rate[count].ours.append(taken.rate)
            self._rate_each[count].ours.append(taken.rate / count)
            if taken.cpu:
                self._cpu[count].ours.append(sum(taken.cpu.values()))
            self._memory[count].ours.append(memory)
            if count > 1:
                one = self._memory[1].ours[-1]
                self._further[count].ours.append((memory - one) / (count - 1))
            self._start[count].ours.append(bench.start)


def _of(count: int) -> str:
    return f"{count} account{'s' if count > 1 else ''}"


if __name__ == "__main__":
    command(__doc__, lambda server, sizes: [Accounts(server, sizes)])
