"""Owns the ways in which a swap can go, each told so that either side may die anywhere in it.

A story counts points from where it leaves the others (`fleet.arm`), and lasts until no swap is
open and everybody is up. Must not know: which points there are.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import trio

from swapd.control.failures import CallError, CannotConnectError
from tests.daemons.accounts import COINS
from tests.daemons.fleet import BLOCK_SECONDS, other
from tests.daemons.mortal import Kills, MortalAccounts, MortalFleet
from tests.functional.accounts import Balances
from tests.matrix.stories import offered
from tests.nodes import Chain

Tale = Callable[[MortalFleet, Kills], Awaitable[Balances]]

SIZES: Final[dict[Chain, tuple[str, str]]] = {"LTC": ("0.5 LTC", "0.01"), "BTC": ("0.01 BTC", "50")}
"""What the maker sells, by its chain: amount and price."""

ANSWER_SECONDS: Final = 20
"""How long an answer may still take when one of the two has died."""

DEATH_SECONDS: Final = 5
"""How long a process may take to end whose connections have."""

ACT_SECONDS: Final = 20
"""How long a daemon may take for what it owes once its node knows of a block."""

PATIENCE_SECONDS: Final = 15
"""Of real time, for daemons to catch up: a loaded machine must not change a story."""

BLOCKS_IN_STEP: Final = 26
"""After so many blocks the participant's refund is done, and only the initiator's expiry, in which
nobody else has to act, is waited for."""

FORGOTTEN_BLOCKS: Final = BLOCKS_IN_STEP + 10
FORGOTTEN_SECONDS: Final = 15 * 86400

MEDIAN_SECONDS: Final = 60
"""How far median time past lies behind the newest block."""

STUCK_BLOCKS: Final = {"taker": (0, 5), "maker": (12, 18)}
"""Between so many a claim gets its first child: the maker, who has more time, waits until nodes
hand out the parent. Many more, and the other side takes its lock back."""

LIFT_SECONDS: Final = 5
GIFT: Final[dict[Chain, int]] = {"BTC": 100_000, "LTC": 10_000_000}
NO_GIFT: Final[Balances] = {}


class Story(NamedTuple):
    """`reaches`: by party, the events and effects that it is there for: each must be passed after
    the arming, and every time it is passed is tried. `tale` returns what strangers paid in, as
    `accounts.check` takes it."""

    name: str
    tale: Tale
    reaches: Mapping[str, tuple[str, ...]]


# --- Steps ----------------------------------------------------------------------------------------


async def take(fleet: MortalFleet, sold: Chain = "LTC") -> None:
    """A take whose answer may never come, but only because one of the two died meanwhile. A fleet
    with chains of accounts has a deal of its own."""
    (amount, price), bought = SIZES[sold], str(other(sold))
    if isinstance(fleet, MortalAccounts):
        bought, get = fleet.deal
        amount, price = offered(bought, get)
        fleet.pair = f"{get}/{bought}"
    offer_id = await fleet.post("maker", amount, buy=bought, price=price, seen_by=["taker"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_give_up_once_one_died, fleet, nursery.cancel_scope)
        await _answered(fleet, offer_id)
        nursery.cancel_scope.cancel()


async def _answered(fleet: MortalFleet, offer_id: str) -> None:
    try:
        await fleet.take("taker", offer_id)
    except (CallError, CannotConnectError):
        with trio.move_on_after(DEATH_SECONDS) as scope:
            await _until_one_died(fleet)
        if scope.cancelled_caught:
            raise


async def _give_up_once_one_died(fleet: MortalFleet, waiting: trio.CancelScope) -> None:
    await _until_one_died(fleet)
    waiting.deadline = trio.current_time() + ANSWER_SECONDS


async def _until_one_died(fleet: MortalFleet) -> None:
    while all(daemon.running for daemon in fleet.daemons.values()):  # noqa: ASYNC110 - of each one
        await trio.sleep(0.1)


async def agree(fleet: MortalFleet, sold: Chain = "LTC") -> str:
    """The id of a swap that both have journalled, nothing locked yet."""
    await take(fleet, sold)
    [swap] = await fleet.open_swaps(fleet["maker"])
    return str(swap["summary"]["swap_id"])


def leg_of(swap: dict[str, Any], name: str) -> dict[str, Any]:
    """One leg of a swap as a daemon tells it."""
    found: dict[str, Any] = next(leg for leg in swap["legs"] if leg["name"] == name)
    return found


def moment(swap: dict[str, Any], name: str) -> int:
    """The unix time of one of a swap's deadlines."""
    return int(next(d["at"] for d in swap["deadlines"] if d["name"] == name))


async def until_leg(
    fleet: MortalFleet, name: str, swap_id: str, leg: str, *statuses: str
) -> dict[str, Any]:
    """Lets blocks pass until a daemon sees a leg so."""

    async def reached() -> bool:
        return leg_of(await fleet.swap(name, swap_id), leg)["status"] in statuses

    await fleet.until(reached)
    return leg_of(await fleet.swap(name, swap_id), leg)


async def block_without(fleet: MortalFleet, *idle: str) -> None:
    """10 seconds and a block on both chains, those of `idle` chains empty."""
    await fleet.settle(patience=PATIENCE_SECONDS)
    await fleet.relay_transactions()
    await fleet.settle(patience=PATIENCE_SECONDS)
    world = fleet.world
    await world.clock.advance(BLOCK_SECONDS)
    for chain in world.chains:
        if chain in idle:
            reward = await world._reward(chain)
            await world.funder.node(chain).rpc("generateblock", reward, [])
        else:
            await world._generate(chain)
    if isinstance(fleet, MortalAccounts):
        for coin, on_it in fleet.accounts.items():
            mine = on_it.mine_without if coin in idle else on_it.anvil.mine
            await mine(world.clock.now())
    for chain in world.chains:
        await world.agree(chain)
    await fleet.settle()


async def one_more(fleet: MortalFleet, name: str, point: str) -> None:
    """Waits until a daemon passes a point once more, or for long enough to have done so."""
    times = fleet.passed(name).count(point) + 1
    await fleet.until_passed(name, point, times, seconds=ACT_SECONDS)


async def open_swaps(fleet: MortalFleet) -> list[dict[str, Any]]:
    """All swaps that have not ended for somebody, asked of everybody."""
    while True:
        await fleet.revive()
        found = [s for daemon in fleet.daemons.values() for s in await fleet.open_swaps(daemon)]
        if all(daemon.running for daemon in fleet.daemons.values()):
            return found


def _only_the_taker_waits(swaps: list[dict[str, Any]]) -> bool:
    """Nothing is left but the initiator's lock, which is its own again at its expiry."""
    return all(
        (swap["summary"]["role"], swap["summary"]["phase"]) == ("initiator", "locked")
        and swap["now"] < moment(swap, "expiry_i")
        for swap in swaps
    )


async def finish(
    fleet: MortalFleet, *, blocks: int = 60, patience: float = PATIENCE_SECONDS
) -> None:
    """Lets blocks pass until no swap is open; a long wait for an expiry is passed at once."""
    for number in range(BLOCKS_IN_STEP + blocks):
        await fleet.settle(patience=patience)
        swaps = await open_swaps(fleet)
        if not swaps:
            return
        if number == FORGOTTEN_BLOCKS and fleet.loses_machines:
            # Restored before it locked, a swap waits until no mempool can know a lock of it.
            await fleet.world.clock.advance(FORGOTTEN_SECONDS)
        if number == BLOCKS_IN_STEP or _only_the_taker_waits(swaps):
            await fleet.pass_blocks_to(max(moment(swap, "expiry_i") for swap in swaps))
        await fleet.block(patience=patience)
    message = f"no end within {BLOCKS_IN_STEP + blocks} blocks: {await fleet.where()}"
    raise AssertionError(message)


# --- Tales ----------------------------------------------------------------------------------------


async def happy(fleet: MortalFleet, kills: Kills) -> Balances:
    """Both do what was agreed."""
    fleet.arm(kills)
    await take(fleet)
    await finish(fleet)
    return NO_GIFT


async def refund(fleet: MortalFleet, kills: Kills) -> Balances:
    """The taker is away until its reveal gate has closed: both take their locks back."""
    swap_id = await agree(fleet)
    await until_leg(fleet, "taker", swap_id, "p", "confirmed")
    swap = await fleet.swap("taker", swap_id)
    await fleet.send_away("taker")
    await fleet.pass_blocks_to(moment(swap, "reveal_gate"))
    fleet.arm(kills)
    await fleet.fetch("taker")
    await fleet.pass_blocks_to(moment(swap, "expiry_p"))
    await fleet.until_phase("maker", swap_id, "refunded")
    await fleet.pass_blocks_to(moment(swap, "expiry_i"))
    await finish(fleet)
    return NO_GIFT


async def killed_taker(fleet: MortalFleet, kills: Kills) -> Balances:
    """No block takes the taker's lock until its gate has closed: it is killed."""
    return await _killed(fleet, kills, "taker", "i", sold="LTC")


async def killed_maker(fleet: MortalFleet, kills: Kills) -> Balances:
    """The same of the maker's lock, on the chain whose nodes replace."""
    return await _killed(fleet, kills, "maker", "p", sold="BTC")


async def _killed(
    fleet: MortalFleet, kills: Kills, name: str, leg: str, *, sold: Chain
) -> Balances:
    swap_id = await agree(fleet, sold)
    idle = (await until_leg(fleet, name, swap_id, leg, "unconfirmed"))["ticker"]
    swap = await fleet.swap(name, swap_id)
    gate = moment(swap, f"lock_gate_{leg}")
    dearer = (int(swap["summary"]["created_at"]) + gate) // 2
    fleet.arm(kills)
    while (now := fleet.world.clock.now()) < gate:
        # No leg shows whether a daemon has seen an empty block: what it then does shows it.
        await block_without(fleet, idle)
        if dearer < now + BLOCK_SECONDS < gate:
            await one_more(fleet, name, "effect:after:BroadcastLock")
    await fleet.until_passed(name, "effect:after:BroadcastKill", 1, seconds=ACT_SECONDS)
    await finish(fleet)
    return NO_GIFT


async def extra(fleet: MortalFleet, kills: Kills) -> Balances:
    """A stranger pays to both scripts: swept back after the end, once each expiry has passed."""
    swap_id = await agree(fleet)
    await until_leg(fleet, "taker", swap_id, "p", "confirmed")
    swap, gifts = await fleet.swap("maker", swap_id), dict[str, tuple[Chain, str]]()
    for leg in swap["legs"]:
        chain: Chain = leg["ticker"]
        amount = f"0.{GIFT[chain]:08d}"
        txid = await fleet.world.funder.rpc(chain, "sendtoaddress", leg["script_address"], amount)
        gifts["maker" if leg["ours"] else "taker"] = (chain, txid)
    await finish(fleet)
    fleet.arm(kills)
    brought: Balances = {}
    for name, expiry in (("maker", "expiry_p"), ("taker", "expiry_i")):
        await fleet.pass_blocks_to(moment(swap, expiry) + MEDIAN_SECONDS)
        chain, txid = gifts[name]
        brought[name, chain] = GIFT[chain] - await _fetched(fleet, name, swap_id, chain, txid)
    return brought


async def _fetched(fleet: MortalFleet, name: str, swap_id: str, chain: Chain, paid_by: str) -> int:
    """Lets blocks pass until a party's refund of what `paid_by` paid is final; its fee."""

    async def refunds() -> list[str]:
        if fleet.loses_machines:  # the one that is mined may be of the life before
            return await newest(fleet, chain)
        swap = await fleet.swap(name, swap_id)
        return [tx["txid"] for leg in swap["legs"] for tx in leg["transactions"]]

    async def spender() -> str:
        for txid in await refunds():
            if await fleet.depth(chain, txid) is not None:
                tx = await fleet.world.funder.rpc(chain, "getrawtransaction", txid, True)
                if paid_by in {spent["txid"] for spent in tx["vin"]}:
                    return txid
        return ""

    for _ in range(30):
        with trio.move_on_after(5):
            while not (found := await spender()):
                await fleet.settle()
                await trio.sleep(0.1)
            if (await fleet.depth(chain, found) or 0) > 3:
                return await fleet.fee(chain, found)
        await fleet.block()
    raise AssertionError(f"{name} never fetched what {paid_by} paid")


async def newest(fleet: MortalFleet, chain: Chain, blocks: int = 12) -> list[str]:
    """The transactions of the last blocks."""
    rpc, found = fleet.world.funder.rpc, list[str]()
    tip = await rpc(chain, "getblockcount")
    for height in range(max(0, tip - blocks), tip + 1):
        block = await rpc(chain, "getblock", await rpc(chain, "getblockhash", height), 1)
        found += block["tx"][1:]
    return found


async def cancelled_taker(fleet: MortalFleet, kills: Kills) -> Balances:
    """The taker's operator wants out while its lock is in the air."""
    swap_id = await agree(fleet)
    await until_leg(fleet, "taker", swap_id, "i", "unconfirmed")
    await fleet.relay_transactions()
    fleet.arm(kills)
    await cancel(fleet, "taker", swap_id)
    await finish(fleet)
    return NO_GIFT


async def cancelled_maker(fleet: MortalFleet, kills: Kills) -> Balances:
    """The maker's operator wants out before it has locked."""
    swap_id = await agree(fleet)
    await fleet.settle()
    fleet.arm(kills)
    await cancel(fleet, "maker", swap_id)
    await finish(fleet)
    return NO_GIFT


async def cancel(fleet: MortalFleet, name: str, swap_id: str) -> None:
    """By a party's operator, who may find the daemon dead; until a kill that follows is sent."""
    try:
        await fleet[name].call("swap.cancel", swap_id=swap_id)
    except CannotConnectError:
        await fleet[name].wait_ended()
    await fleet.settle(patience=PATIENCE_SECONDS)
    if await fleet.phase(name, swap_id) == "killing":
        point = "effect:after:BroadcastKill"
        await fleet.until_passed(name, point, 1, seconds=ACT_SECONDS)


async def reorganised(fleet: MortalFleet, kills: Kills) -> Balances:
    """The taker's lock falls out of its chain while the maker's is in: sent again and killed."""
    swap_id = await agree(fleet)
    await until_leg(fleet, "maker", swap_id, "p", "confirmed")
    depth = leg_of(await fleet.swap("maker", swap_id), "i")["depth"]
    await fleet.relay_transactions()
    fleet.arm(kills)
    if isinstance(fleet, MortalAccounts) and fleet.deal[0] in COINS:
        await fleet.chain_of(fleet.deal[0]).anvil.reorg(depth, fleet.world.clock.now())
    else:
        await fleet.world.reorg("BTC", depth)
    # The maker resends in vain to its expiry, once the taker has killed its lock.
    await finish(fleet, patience=1)
    return NO_GIFT


async def stuck_taker(fleet: MortalFleet, kills: Kills) -> Balances:
    """No block takes the taker's claim for a while, on the chain whose nodes don't replace."""
    return await _stuck(fleet, kills, "taker", sold="LTC")


async def stuck_maker(fleet: MortalFleet, kills: Kills) -> Balances:
    """The same of the maker's claim."""
    return await _stuck(fleet, kills, "maker", sold="BTC")


async def _stuck(fleet: MortalFleet, kills: Kills, name: str, *, sold: Chain) -> Balances:
    swap_id = await agree(fleet, sold)
    await until_leg(fleet, "taker", swap_id, "p", "claimed")
    await fleet.relay_transactions()
    await fleet.settle(patience=PATIENCE_SECONDS)
    fleet.arm(kills)
    least, most = STUCK_BLOCKS[name]
    for number in range(most):
        await block_without(fleet, "LTC")
        if number >= least and await fleet.until_passed(
            name, "effect:after:BroadcastChild", 1, seconds=LIFT_SECONDS
        ):
            break
    await finish(fleet)
    return NO_GIFT


USUAL: Final = (
    *("Agreed", "BuildLock", "LockBuilt", "Observed", "BroadcastLock"),
    *("BuildClaim", "ClaimBuilt", "BroadcastClaim"),
)
_REFUND: Final = ("BuildRefund", "RefundBuilt", "BroadcastRefund")
_REFUND_SEEN: Final = (*_REFUND, "Observed")
KILL: Final = ("BuildKill", "KillBuilt", "BroadcastKill")
_HANGS: Final = ("BuildLock", "LockBuilt", "BroadcastLock", *KILL)
_CHILD: Final = ("BuildChild", "ChildBuilt", "BroadcastChild")

STORIES: Final = (
    Story("happy", happy, {"taker": USUAL, "maker": USUAL}),
    Story("refund", refund, {"taker": _REFUND_SEEN, "maker": _REFUND_SEEN}),
    Story("the taker's lock hangs", killed_taker, {"taker": _HANGS}),
    Story("the maker's lock hangs", killed_maker, {"maker": _HANGS}),
    Story("the taker's claim hangs", stuck_taker, {"taker": _CHILD}),
    Story("the maker's claim hangs", stuck_maker, {"maker": _CHILD}),
    Story("a stranger pays to both scripts", extra, {"taker": _REFUND, "maker": _REFUND}),
    Story("cancelled by the taker", cancelled_taker, {"taker": ("CancelRequested", *KILL)}),
    Story("cancelled by the maker", cancelled_maker, {"maker": ("CancelRequested",)}),
    Story("the taker's lock falls out", reorganised, {"maker": ("ResendTheirLock",)}),
)
