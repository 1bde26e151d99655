"""What happens in the demo, in order: a relay, a maker, a taker, an offer, a swap, the money.

Knows the daemons by their control sockets and the nodes by RPC, like any user; nothing inside.
"""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import trio

from tests.daemons.accounts import AccountFleet
from tests.daemons.fleet import Fleet
from tests.demo import ledger
from tests.demo.failure import DemoFailed
from tests.demo.narrator import Narrator, short
from tests.demo.plans import Plan, coins
from tests.nodes import Chain, World

_NODES: Final = {"BTC": "a bitcoind", "LTC": "a litecoind"}


async def run(plan: Plan) -> str | None:
    """The whole demo; the id of the completed swap, None when a signal ended it. Raises DemoFailed
    from what went wrong."""
    swap_id = None
    async with trio.open_nursery() as nursery:

        async def obey() -> None:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                await anext(aiter(signals))
                nursery.cancel_scope.cancel()

        nursery.start_soon(obey)
        swap_id = await _stage(plan)
        nursery.cancel_scope.cancel()
    return swap_id


async def _stage(plan: Plan) -> str:
    say = Narrator()
    async with _fleet(plan, say) as fleet:
        try:
            return await _story(fleet, say, plan)
        except Exception as error:
            raise DemoFailed(_logs(fleet)) from error
        finally:
            with trio.CancelScope(shield=True):
                await fleet.stop()
                await fleet.kill()


@asynccontextmanager
async def _fleet(plan: Plan, say: Narrator) -> AsyncIterator[Fleet]:
    """The nodes that the plan needs, and daemons that are not started."""
    if not plan.has_accounts:
        say("starting six nodes: a bitcoind and a litecoind for the maker, the taker and a miner")
        async with World.open() as world:
            yield Fleet(world)
        return
    own = [_NODES[asset] for asset in (plan.pay, plan.get) if asset in _NODES]
    each = f"{own[0]} for the maker, the taker and a miner, and " if own else ""
    say(f"starting nodes: {each}an anvil, with our contracts and a test token on it")
    async with AccountFleet.open([plan.pay, plan.get]) as fleet:
        yield fleet


def _logs(fleet: Fleet) -> str:
    parts = []
    for daemon in fleet.all:
        tail = daemon.tail() if daemon.log.exists() else "(never started)"
        parts.append(f"--- the end of the log of {daemon.name}\n{tail}")
    return "\n".join(parts)


async def _story(fleet: Fleet, say: Narrator, plan: Plan) -> str:
    await _prepare(fleet, say, plan)
    before = await ledger.snapshot(fleet, plan)
    offer_id = await _offer(fleet, say, plan)
    swap_id = await _take(fleet, say, plan, offer_id)
    await _watch(fleet, say, swap_id)
    after = await ledger.snapshot(fleet, plan)
    told = {name: await fleet.swap(name, swap_id) for name in fleet.daemons}
    transactions = await ledger.transactions(fleet, told)
    ledger.show(before, after, transactions)
    ledger.check(before, after, transactions, told)
    say("every balance moved by exactly the amounts agreed, less the fees above")
    return swap_id


async def _prepare(fleet: Fleet, say: Narrator, plan: Plan) -> None:
    world = fleet.world
    for party, asset in (("maker", plan.get), ("taker", plan.pay)):
        if plan.coins(asset):
            await world.fund(party, cast("Chain", asset), 2, plan.coins(asset))
    await fleet.start()
    has = {
        party: coins(await fleet.holdings(party, asset), asset)
        for party, asset in (("maker", plan.get), ("taker", plan.pay))
    }
    say(f"the maker has {has['maker']} {plan.get}, the taker {has['taker']} {plan.pay}")
    say("relay: up; it knows no chain and passes on what others sign")
    for name in fleet.daemons:
        info = await fleet[name].call("getinfo")
        say(f"{name}: up, on nodes of its own; the only peer it was told of is the relay")
        assert info["state"] == "running", info


async def _offer(fleet: Fleet, say: Narrator, plan: Plan) -> str:
    say(f"maker: offers {plan.offered} for {plan.pay} at {plan.price} {plan.pay} each")
    offer_id = await fleet.post("maker", plan.offered, buy=plan.pay, price=plan.price)
    row = await fleet.until_listed("taker", offer_id)
    remaining = row["sell_remaining"]
    say(
        f"taker: the offer came through the relay; its book shows {remaining['decimal']} "
        f"{remaining['ticker']} at {row['price']['text']}"
    )
    return offer_id


async def _take(fleet: Fleet, say: Narrator, plan: Plan, offer_id: str) -> str:
    decimal, asset = plan.taken.split()
    amount = {"asset": asset, "decimal": decimal}
    quote = await fleet["taker"].call("quote", offer_id=offer_id, amount=amount)
    say(
        f"taker: a quote for {plan.taken}: pay {_coins(quote['pay_total'])} with the fee, get "
        f"{_coins(quote['receive_net'])} after it; usually {quote['usual_seconds']} s of blocks, "
        f"at worst back after {quote['worst_seconds']} s"
    )
    swap_id = await fleet.take("taker", offer_id, plan.taken)
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
