"""An older database is put back: no number that others saw is used again, no dead offer rises."""

import copy
from collections.abc import Iterator
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from protocol.codec import decode
from protocol.gossip import ItemKind, decode_items
from protocol.identity import Certificate
from protocol.lease import Heartbeat
from protocol.offers import Cancel, Floor, Offer
from swapd.engine import putback
from swapd.engine.addresses import fresh_address, known_addresses
from swapd.engine.offers_account import Status
from swapd.ports import PUT_BACK
from tests.engine.market.stage import COIN, LTC, Node, Stage, draft
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeDisk, FakeStore

KINDS: dict[ItemKind, type[Offer | Cancel | Floor | Heartbeat | Certificate]] = {
    ItemKind.OFFER: Offer,
    ItemKind.CANCEL: Cancel,
    ItemKind.FLOOR: Floor,
    ItemKind.HEARTBEAT: Heartbeat,
    ItemKind.CERTIFICATE: Certificate,
}


def spoken(listener: Node, maker: Node) -> Iterator[object]:
    """Everything that a maker said of itself, as a stranger heard it, once each."""
    seen: set[bytes] = set()
    for message in listener.heard:
        for item in decode_items(message.data):
            kind = KINDS.get(item.kind)
            if kind is None or item.payload in seen:
                continue
            seen.add(item.payload)
            said = decode(kind, item.payload, max_size=65_536)
            if said.maker == maker.world.signer.maker_key():
                yield said


async def put_back(node: Node, disk: FakeDisk) -> FakeDisk:
    """What the start of a daemon does with an older database, up to its market."""
    disk.values[PUT_BACK] = b"a test put it there"
    await putback.settle(replace(node.world, store=FakeStore(disk)))
    return disk


async def a_day(node: Node) -> None:
    """Posts, takes back, posts again; certificates and heartbeats go with it."""
    for size in (COIN, 2 * COIN):
        posted = await node.offers.post(draft(maximum=size))
        await trio.sleep(1)
        await node.offers.cancel(posted.offer_id)
    await node.offers.post(draft(maximum=3 * COIN))
    await fresh_address(node.world, LTC)
    await trio.sleep(65)


@pytest.mark.parametrize("moment", ["before anything", "with an offer", "after its cancel"])
async def test_no_number_that_was_used_in_public_is_used_again(
    stage: Stage, autojump_clock: MockClock, moment: str
) -> None:
    maker, listener = await stage.node("maker"), await stage.node("listener")
    await maker.world.store.next_counter("events", 1)  # as each start does
    if moment != "before anything":
        posted = await maker.offers.post(draft(maximum=COIN))
        await trio.sleep(1)
        if moment == "after its cancel":
            await maker.offers.cancel(posted.offer_id)
    old = copy.deepcopy(maker.disk)
    await a_day(maker)
    await maker.stop()
    before = list(spoken(listener, maker))
    addresses = await known_addresses(maker.world, LTC)
    stage.clock.advance(5)
    again = await stage.node("maker", disk=await put_back(maker, old))
    for chain in again.chains.values():
        chain.grant(100 * COIN)
    assert await fresh_address(again.world, LTC) not in addresses
    assert await again.world.store.next_counter("events", 1) > 1000
    await a_day(again)
    after = [said for said in spoken(listener, again) if said not in before]
    assert {type(said) for said in after} >= {Offer, Cancel, Heartbeat, Certificate}
    check_offers(before, after)
    check_heartbeats(before, after)
    # What was given out in between is known again, so that what is paid there is found.
    assert set(addresses) <= set(await known_addresses(again.world, LTC))


def check_offers(before: list[object], after: list[object]) -> None:
    """Log numbers and sequences go on above all that was said; no slot is used twice."""
    kinds = (Offer, Cancel, Floor)
    numbers = [
        [said.number for said in life if isinstance(said, kinds)] for life in (before, after)
    ]
    assert max(numbers[0], default=0) < min(numbers[1])
    assert len(numbers[1]) == len(set(numbers[1]))
    offers = [[said for said in life if isinstance(said, Offer)] for life in (before, after)]
    assert max((o.sequence for o in offers[0]), default=0) < min(o.sequence for o in offers[1])
    assert not {offer.slot for offer in offers[0]} & {offer.slot for offer in offers[1]}


def check_heartbeats(before: list[object], after: list[object]) -> None:
    """Counters of heartbeats grow, and of certificates the later one counts."""
    beats = [
        [said.counter for said in life if isinstance(said, Heartbeat)] for life in (before, after)
    ]
    assert max(beats[0]) < min(beats[1])
    made = [[c.created for c in life if isinstance(c, Certificate)] for life in (before, after)]
    assert max(made[0]) < min(made[1])


async def test_an_offer_that_was_cancelled_or_sold_since_does_not_stand_again(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    posted = await maker.offers.post(draft())
    await taker.until(taker.asks)
    old = copy.deepcopy(maker.disk)
    await maker.offers.cancel(posted.offer_id)
    await taker.until(lambda: not taker.asks())
    maker.crash()
    again = await stage.node("maker", disk=await put_back(maker, old))
    await trio.sleep(100)
    assert taker.asks() == []
    assert again.asks() == []
    assert [s.status for s in again.offers.standing(include_ended=True)] == [Status.CANCELLED]
    assert again.offers.live() == ()


async def test_it_is_seen_to_once(stage: Stage, autojump_clock: MockClock) -> None:
    maker = await stage.node("maker")
    await maker.offers.post(draft())
    disk = await put_back(maker, copy.deepcopy(maker.disk))
    settled = copy.deepcopy(disk)
    assert PUT_BACK not in disk.values
    await putback.settle(replace(maker.world, store=FakeStore(disk)))
    assert disk == settled


async def test_cut_off_anywhere_it_is_done_again_to_its_end(
    stage: Stage, autojump_clock: MockClock
) -> None:
    class Died(Exception):
        pass

    maker = await stage.node("maker")
    await maker.offers.post(draft())
    await maker.offers.post(draft())
    await fresh_address(maker.world, LTC)
    old = copy.deepcopy(maker.disk)
    step = 0
    while True:
        disk, left = copy.deepcopy(old), step
        disk.values[PUT_BACK] = b"a test put it there"
        store = FakeStore(disk)

        def die(_: str) -> None:
            nonlocal left
            if left == 0:
                raise Died
            left -= 1

        store.after_write = die
        try:
            await putback.settle(replace(maker.world, store=store))
        except Died:
            step += 1
            await putback.settle(replace(maker.world, store=FakeStore(disk)))
            assert PUT_BACK not in disk.values
            offers = {key: value for key, value in disk.values.items() if key[0] == "offer"}
            assert len(offers) == 2
            assert all(b"cancelled" in value for value in offers.values())
            continue
        break
    assert step >= 5


async def test_a_database_that_was_put_back_speaks_under_a_newer_epoch() -> None:
    store, clock = FakeStore(), FakeClock()
    first = await putback.epoch(store, clock)
    clock.advance(1000)
    assert await putback.epoch(store, clock) == first == clock.now() - 1000
    await store.put(*PUT_BACK, b"")
    newer = await putback.epoch(store, clock)
    assert newer == clock.now()
    # Also with a clock that was set back.
    assert await putback.epoch(store, FakeClock()) == newer + 1
