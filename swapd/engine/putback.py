"""The first start with an older database: nothing that was used since is used again.

Owns: what follows from `PUT_BACK` for counters, swaps, offers, addresses and the network key. Must
not know: who noticed, and how.

What stood in the old database may have been taken, cancelled or finished since, and only the
operator, the chains and a recovery file can know.
Failure and persistence: each step may be repeated; the note is deleted last.
"""

from typing import Final

import structlog

from protocol.assets import AssetId
from protocol.errors import DecodeError
from protocol.swap.restoring import restored
from swapd.engine import addresses, journal, payouts
from swapd.engine.offers import SPACE as OFFERS
from swapd.engine.offers_account import Status, decode_account, encode_account
from swapd.engine.world import World
from swapd.ports import PUT_BACK, Clock, Store, StoreError

log = structlog.get_logger("putback")

JUMP: Final = 1000
"""How far counters move on; those that count time have moved with the clock."""
_TIMES: Final = 1_000_000_000
"""A counter from here on counts seconds or milliseconds."""

EPOCH: Final = ("meta", "network-epoch")


async def epoch(store: Store, clock: Clock) -> int:
    """That of our network key: the same at every start of this data directory, and newer than that
    of any life of the seed before it (safety rule 24): a database that was put back gets a new one.
    Raises StoreError."""
    fresh = clock.now()
    known = await store.put_new(*EPOCH, str(fresh).encode())
    if known is None:
        return fresh
    if await store.get(*PUT_BACK) is None:
        return int(known)
    newer = max(fresh, int(known) + 1)
    await store.put(*EPOCH, str(newer).encode())
    return newer


async def settle(world: World) -> None:
    """Sees to everything once, before any swap is resumed. Raises StoreError."""
    why = await world.store.get(*PUT_BACK)
    if why is None:
        return
    await world.store.move_counters(JUMP, below=_TIMES)
    swaps = await _restore_swaps(world)
    offers = await _end_offers(world)
    for asset in world.chains:
        await _remember_addresses(world, asset)
    life = f"put-back-{world.clock.now()}"
    await world.store.put("meta", payouts.LIFE, life.encode())
    await world.store.delete(*PUT_BACK)
    log.critical("database.put_back", why=why.decode(), swaps=swaps, offers_ended=offers)


async def _restore_swaps(world: World) -> int:
    """Open swaps claim, refund and watch from now on, and never lock."""
    count = 0
    for record in await world.store.open_swaps():
        try:
            state = journal.load_state(record)
        except StoreError as error:  # told and left alone by whoever resumes swaps
            log.error("swap.not_restored", swap=record.swap_id.hex(), reason=str(error))  # noqa: TRY400 - the sentence says all
            continue
        if not state.restored:
            at, sequence = world.clock.now(), record.sequence + 1
            await journal.write(world.store, restored(state), None, sequence=sequence, at=at)
            count += 1
    return count


async def _end_offers(world: World) -> int:
    """What stood then may be cancelled or sold by now."""
    count = 0
    for key, data in await world.store.items(OFFERS):
        try:
            account = decode_account(data)
        except DecodeError:  # told by whoever reads the offers
            continue
        if not account.ended:
            ended = encode_account(account.end(Status.CANCELLED))
            await world.store.put(OFFERS, key, ended)
            count += 1
    return count


async def _remember_addresses(world: World, asset: AssetId) -> None:
    """Payouts since then went to addresses that this database does not know: all that the counter
    has jumped over are known from now on. Where payouts go to one account there are none."""
    if world.chains[asset].fixed_address(refund=False) is not None:
        return
    # A backup from before the first address has no counter that could have moved.
    await world.store.next_counter(addresses.counter_of(asset), JUMP)
    given = set((await addresses.known_addresses(world, asset)).values())
    last = await world.store.counter(addresses.counter_of(asset))
    missing = {
        addresses.key_of(world, asset, index): str(index).encode()
        for index in range(1, last + 1)
        if index not in given
    }
    await world.store.put_all(addresses.SPACE, missing)
