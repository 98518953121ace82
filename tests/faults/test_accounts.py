"""Several accounts: what happens to one of them ends nothing for the others."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from gates import Certificates
from promise import Numbers, delivered_numbers
from running import QUICK, Run

from qehost.simulator import Venue
from qehost.simulator.accounts import Account


def section(name: str, venue: Venue, account: Account | None, more: str = "") -> str:
    """None: one that the venue does not know."""
    key, secret = (account.api_key, account.api_secret) if account else ("no-key", "no-secret")
    return (
        f'[accounts.{name}]\nws_url = "{venue.ws_url}"\nrest_url = "{venue.rest_url}"\n'
        f'api_key = "{key}"\napi_secret = "{secret}"\n{more}\n'
    )


def connected(run: Run, account: str) -> int:
    return len(run.records("on_connected", account=account))


def kill(run: Run, account: str) -> None:
    """Once it is connected, before it has heard anything."""
    known = connected(run, account)
    os.kill(run.pids()[f"connection {account}"], signal.SIGKILL)
    run.wait_for(lambda: connected(run, account) > known, f"account {account}")


def test_an_account_that_can_not_start_again_is_tried_until_it_can_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    ca = tmp_path / "mine.pem"
    ca.write_bytes(Path(Certificates(tmp_path).ca).read_bytes())
    with Venue(accounts=2) as venue:
        one, two = venue.accounts
        config = section("one", venue, one, 'ca_file = "mine.pem"') + section("two", venue, two)
        with Run(tmp_path, config=config, settings=QUICK) as run:
            run.wait_for(lambda: connected(run, "one") and connected(run, "two"))
            ca.rename(tmp_path / "away.pem")
            os.kill(run.pids()["connection one"], signal.SIGKILL)
            run.wait_for(lambda: len(run.logged("CRITICAL.*account one: ")) > 2, "some tries")
            numbers = Numbers(venue, rate=1)
            numbers.push(3)
            run.wait_for(lambda: delivered_numbers(run) == {1, 2, 3})
            (tmp_path / "away.pem").rename(ca)
            run.wait_for(lambda: connected(run, "one") == 2, "account one again")
            assert connected(run, "two") == 1
            assert run.stop() == 0


def test_a_connection_process_that_dies_at_each_connection_slows_down_and_is_given_up(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: connected(run, "main"))
        for _ in range(4):
            kill(run, "main")
        os.kill(run.pids()["connection main"], signal.SIGKILL)
        assert run.wait() == 5
        delays = [line.split()[-2] for line in run.logged("starting it again")]
        assert delays == ["0.1", "0.2", "0.4", "0.8"]
        run.wait_for_line("CRITICAL.*for the 5th time in a row: giving up")


def test_one_of_several_that_dies_at_each_connection_is_tried_more_and_more_slowly(
    tmp_path: Path,
) -> None:
    with Venue(accounts=2) as venue:
        config = "".join(section(n, venue, a) for n, a in zip("ab", venue.accounts, strict=True))
        with Run(tmp_path, config=config, settings=QUICK) as run:
            run.wait_for(lambda: connected(run, "a") and connected(run, "b"))
            for _ in range(5):
                kill(run, "a")
            run.wait_for_line(r"connection \(a\).*starting it again in 1.6 s")
            assert connected(run, "b") == 1
            assert run.stop() == 0


def test_give_up_after_is_for_all_accounts_together(tmp_path: Path) -> None:
    with Venue() as venue:
        config = section("good", venue, venue.accounts[0]) + section("wrong", venue, None)
        with Run(tmp_path, "--give-up-after", "4", config=config, settings=QUICK) as run:
            run.wait_for(lambda: len(run.logged("account wrong: no connection for 4 s")) > 1)
            numbers = Numbers(venue, rate=1)
            numbers.push(3)
            numbers.wait_for_all(run)
            venue.inject("handshake-500", 1000)
            venue.drop("reset")
            assert run.wait() == 5
            run.wait_for_line("account good: no connection for 4 s")
