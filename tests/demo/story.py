"""What happens in the demo, in order: a relay, a maker, a taker, an offer, a swap, the money.

Knows the daemons by their control sockets and the nodes by RPC, like any user; nothing inside.
"""

import signal
from typing import Any, Final

import trio

from tests.daemons.fleet import Fleet
from tests.demo import ledger
from tests.demo.failure import DemoFailed
from tests.demo.narrator import Narrator, short
from tests.nodes import World

PRICE: Final = "0.0125"
OFFERED: Final = "8 LTC"
TAKEN: Final = "3 LTC"
MAKER_COIN: Final = 1_000_000_000
TAKER_COIN: Final = 25_000_000


async def run() -> str | None:
    """The whole demo; the id of the completed swap, None when a signal ended it. Raises DemoFailed
    from what went wrong."""
    swap_id = None
    async with trio.open_nursery() as nursery:

        async def obey() -> None:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                await anext(aiter(signals))
                nursery.cancel_scope.cancel()

        nursery.start_soon(obey)
        swap_id = await _stage()
        nursery.cancel_scope.cancel()
    return swap_id


async def _stage() -> str:
    say = Narrator()
    say("starting six nodes: a bitcoind and a litecoind for the maker, the taker and a miner")
    async with World.open() as world:
        fleet = Fleet(world)
        try:
            return await _story(fleet, say)
        except Exception as error:
            raise DemoFailed(_logs(fleet)) from error
        finally:
            with trio.CancelScope(shield=True):
                await fleet.stop()
                await fleet.kill()


def _logs(fleet: Fleet) -> str:
    parts = []
    for daemon in fleet.all:
        tail = daemon.tail() if daemon.log.exists() else "(never started)"
        parts.append(f"--- the end of the log of {daemon.name}\n{tail}")
    return "\n".join(parts)


async def _story(fleet: Fleet, say: Narrator) -> str:
    await _prepare(fleet, say)
    before = await ledger.snapshot(fleet)
    offer_id = await _offer(fleet, say)
    swap_id = await _take(fleet, say, offer_id)
    await _watch(fleet, say, swap_id)
    after = await ledger.snapshot(fleet)
    told = {name: await fleet.swap(name, swap_id) for name in fleet.daemons}
    transactions = await ledger.transactions(fleet, told)
    ledger.show(before, after, transactions)
    ledger.check(before, after, transactions, told)
    say("every balance moved by exactly the amounts agreed, less the fees above")
    return swap_id


async def _prepare(fleet: Fleet, say: Narrator) -> None:
    world = fleet.world
    await world.fund("maker", "LTC", 2, MAKER_COIN)
    await world.fund("taker", "BTC", 2, TAKER_COIN)
    say("the maker has 20 LTC, the taker 0.5 BTC; starting three swap daemons")
    await fleet.start()
    say("relay: up; it knows no chain and passes on what others sign")
    for name in fleet.daemons:
        info = await fleet[name].call("getinfo")
        say(f"{name}: up, on nodes of its own; the only peer it was told of is the relay")
        assert info["state"] == "running", info


async def _offer(fleet: Fleet, say: Narrator) -> str:
    say(f"maker: offers {OFFERED} for BTC at {PRICE} BTC each")
    offer_id = await fleet.post("maker", OFFERED, buy="BTC", price=PRICE)
    row = await fleet.until_listed("taker", offer_id)
    remaining = row["sell_remaining"]
    say(
        f"taker: the offer came through the relay; its book shows {remaining['decimal']} "
        f"{remaining['ticker']} at {row['price']['text']}"
    )
    return offer_id


async def _take(fleet: Fleet, say: Narrator, offer_id: str) -> str:
    decimal, asset = TAKEN.split()
    amount = {"asset": asset, "decimal": decimal}
    quote = await fleet["taker"].call("quote", offer_id=offer_id, amount=amount)
    say(
        f"taker: a quote for {TAKEN}: pay {_coins(quote['pay_total'])} with the fee, get "
        f"{_coins(quote['receive_net'])} after it; usually {quote['usual_seconds']} s of blocks, "
        f"at worst back after {quote['worst_seconds']} s"
    )
    swap_id = await fleet.take("taker", offer_id, TAKEN)
    say(f"taker: takes it; both have signed the terms of swap {short(swap_id)}")
    return swap_id


def _coins(amount: dict[str, Any]) -> str:
    return f"{amount['decimal']} {amount['ticker']}"


async def _watch(fleet: Fleet, say: Narrator, swap_id: str) -> None:
    """Lets blocks come until both have ended, telling what is new after each."""

    async def ended() -> bool:
        told = {name: await fleet.swap(name, swap_id) for name in fleet.daemons}
        say.swap(told)
        phases = [swap["summary"]["phase"] for swap in told.values()]
        assert not {"refunded", "never_funded", "lost"} & set(phases), phases
        return phases == ["completed"] * len(told)

    await fleet.until(ended)
