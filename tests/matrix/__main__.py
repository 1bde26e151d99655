"""`python -m tests.matrix [PAIR=BTC/ETH,...] [STORY=happy,...]`: the table; exit code 0 when all is
fine.
"""

import sys
import time
from itertools import permutations
from typing import Final

import trio
from rich.console import Console
from rich.table import Table

from tests.daemons.accounts import COINS, AccountFleet
from tests.matrix import books
from tests.matrix.stories import STORIES

ASSETS: Final = ("BTC", "LTC", "ETH", "USDC", "BETH", "BUSDC")
COIN: Final = {"BTC": 100_000_000, "LTC": 1_000_000_000}
RUN_SECONDS: Final = 1200
"""On a quiet machine a run takes 3 to 45; a loaded one must not end it."""
FINE: Final = "ok"


async def play(fleet: AccountFleet, pay: str, get: str, name: str) -> str:
    """How one story went, in a word, or what was wrong with it."""
    story, allowed = STORIES[name]
    before = await books.of(fleet, pay, get)
    with trio.move_on_after(RUN_SECONDS) as scope:
        ends = await story(fleet, pay, get)
    if scope.cancelled_caught:
        return f"not within {RUN_SECONDS} s: {await fleet.where()}"
    if ends not in allowed:
        return f"ended {ends}"
    return await books.wrong(fleet, before, pay, get, ends) or FINE


async def mend(fleet: AccountFleet) -> None:
    """Both daemons up and no swap open, whatever the story before left."""
    for daemon in fleet.daemons.values():
        if not daemon.running:
            await daemon.start(wait=False)
        await daemon.wait_ready()  # one that a story left as it started, too
    for daemon in fleet.daemons.values():
        offers = (await daemon.call("offer.list"))["offers"]
        for offer in offers:
            if offer["status"] == "open":
                await daemon.call("offer.cancel", offer_id=offer["offer"]["offer_id"])
    await fleet.until_ended(blocks=150)


async def run(pairs: list[tuple[str, str]], names: list[str]) -> int:
    """All of them in one world; how many went wrong."""
    results: dict[tuple[str, str], dict[str, str]] = {}
    wrong = 0
    assets = [asset for asset in ASSETS if any(asset in pair for pair in pairs)]
    async with AccountFleet.open(assets) as fleet:
        for party in ("maker", "taker"):
            for asset in assets:
                if asset not in COINS:
                    await fleet.world.fund(party, asset, 6, COIN[asset])  # type: ignore[arg-type] # one of the two
        await fleet.start()
        for pair in pairs:
            for name in names:
                began = time.monotonic()
                try:
                    said = await play(fleet, *pair, name)
                except Exception as error:  # noqa: BLE001 - one story must not end the others
                    said = f"{type(error).__name__}: {error}"[:300]
                wrong += said != FINE
                results.setdefault(pair, {})[name] = said
                print(f"{'/'.join(pair)} {name}: {said} ({time.monotonic() - began:.0f} s)")
                await mend(fleet)
    show(results, names)
    return wrong


def show(results: dict[tuple[str, str], dict[str, str]], names: list[str]) -> None:
    """The table."""
    table = Table(title="taker pays / maker sells", title_justify="left")
    table.add_column("pair")
    for name in names:
        table.add_column(name)
    for pair, row in results.items():
        table.add_row("/".join(pair), *(row.get(name, "-")[:40] for name in names))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 124).print(table)


def main() -> int:
    """The exit code."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # it is a text file
    chosen = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
    pairs = list(permutations(ASSETS, 2))
    if "PAIR" in chosen:
        wanted = [pair.strip().upper() for pair in chosen["PAIR"].split(",")]
        pairs = [pair for pair in pairs if "/".join(pair) in wanted]
    asked = chosen.get("STORY", ",".join(STORIES)).split(",")
    names = [name for name in STORIES if name in asked]
    if not pairs or not names or set(chosen) - {"PAIR", "STORY"}:
        sys.stderr.write(f"PAIR=A/B,... of {', '.join(ASSETS)}; STORY= of {', '.join(STORIES)}\n")
        return 2
    wrong = trio.run(run, pairs, names)
    word = "failed" if wrong else "ok"
    print(f"matrix {word}: {len(pairs) * len(names)} runs, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
