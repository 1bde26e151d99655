"""Several markets that know each other only by what the network tells them."""

from typing import Any

import trio
from msgspec.structs import replace
from trio.testing import MockClock

from protocol.amounts import Price
from protocol.book import Why
from protocol.codec import encode
from protocol.gossip import (
    Item,
    ItemKind,
    decode_items,
    encode_items,
    item_of,
    pair_topic,
)
from protocol.lease import Heartbeat
from protocol.offers import pair_id
from protocol.reconcile import (
    BOOK_PROTOCOL,
    BookAnswer,
    BookRequest,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from protocol.signing import Tag
from swapd.engine.market import Resync, sign_own
from swapd.ports import ChannelClosed, GossipMessage
from tests.engine.market.stage import BTC, COIN, LTC, OTHER, Node, Stage, draft

TOPIC = pair_topic(BTC, LTC)


async def test_an_offer_reaches_everyone_with_the_address_of_its_maker(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    posted = await maker.offers.post(draft())
    await taker.until(taker.asks)
    found = taker.market.find(posted.offer_id)
    assert found is not None
    assert found.certificate is not None
    assert found.offer == posted.offer
    assert (found.certificate.peer_id, found.certificate.addresses) == ("maker", ("/memory/maker",))


async def test_the_best_price_stands_first(stage: Stage, autojump_clock: MockClock) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    for numerator in (3, 1, 2):
        await maker.offers.post(draft(price=Price.of(numerator, 75), maximum=COIN))
    await taker.until(lambda: len(taker.asks()) == 3)
    prices = [found.offer.price for found in taker.asks()]
    assert prices == [Price.of(1, 75), Price.of(2, 75), Price.of(3, 75)]


async def test_a_burst_of_offers_travels_in_one_message(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft(maximum=COIN))
    await taker.until(taker.asks)
    taker.heard.clear()
    for _ in range(20):
        await maker.offers.post(draft(maximum=COIN))
    await taker.until(lambda: len(taker.asks()) == 21)
    assert len(taker.heard) == 1
    assert taker.kinds_heard() == ["heartbeat", "certificate", *["offer"] * 20]


async def test_a_newcomer_learns_the_book_from_a_node_without_offers(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, hub = await stage.node("maker"), await stage.node("hub", coins=0)
    for _ in range(150):
        await maker.offers.post(draft(maximum=COIN * 3 // 10, minimum=None))
    await hub.until(lambda: len(hub.asks()) == 150)
    stage.network.cut.add("maker")
    newcomer = await stage.node("newcomer")
    await newcomer.until(lambda: len(newcomer.asks()) == 150, seconds=5)
    assert newcomer.asks() == hub.asks()
    assert newcomer.asks()[0].certificate is not None


async def test_a_cancelled_offer_leaves_everywhere(stage: Stage, autojump_clock: MockClock) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    posted = await maker.offers.post(draft())
    await taker.until(taker.asks)
    await maker.offers.cancel(posted.offer_id)
    assert maker.asks() == []
    await taker.until(lambda: not taker.asks(), seconds=1)


async def test_a_stop_takes_all_offers_with_it_at_once(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    for _ in range(3):
        await maker.offers.post(draft(maximum=COIN))
    await taker.until(lambda: len(taker.asks()) == 3)
    await maker.stop()
    await taker.until(lambda: not taker.asks(), seconds=1)


# --- Leases -----------------------------------------------------------------------------------


async def test_the_offers_of_a_maker_that_crashed_are_gone_within_ninety_seconds(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft())
    await taker.until(taker.asks)
    maker.crash()
    began = trio.current_time()
    await taker.until(lambda: not taker.asks())
    assert 45 < trio.current_time() - began <= 90
    assert (taker.market.changes_since(taker.market.sequence - 1) or ())[-1].why is Why.MAKER_GONE


async def test_heartbeats_keep_an_offer_alive_even_while_the_wall_clock_stands(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft())
    await taker.until(taker.asks)
    with trio.move_on_after(1000) as quiet:
        await taker.market.wait_changed()
    assert quiet.cancelled_caught, "the book never changed"
    beats = [
        heartbeat
        for message in taker.heard
        for heartbeat in decode_items(message.data)
        if heartbeat.kind is ItemKind.HEARTBEAT
    ]
    assert 30 <= len(beats) <= 40
    assert len({beat.payload for beat in beats}) == len(beats)


async def test_a_leap_of_the_wall_clock_empties_no_book_and_newcomers_still_see_it(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft())
    await taker.until(taker.asks)
    stage.clock.advance(600)
    with trio.move_on_after(5):
        await taker.market.wait_changed()
    assert len(taker.asks()) == 1
    stage.network.cut.add("maker")
    newcomer = await stage.node("newcomer")
    await newcomer.until(newcomer.asks, seconds=1)


async def test_without_offers_a_node_says_nothing(stage: Stage, autojump_clock: MockClock) -> None:
    quiet, other = await stage.node("quiet"), await stage.node("other")
    await trio.sleep(300)
    assert quiet.heard == other.heard == []


# --- Repair -----------------------------------------------------------------------------------


async def test_an_offer_that_gossip_lost_is_fetched_at_the_next_heartbeat(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft(maximum=COIN))
    await taker.until(taker.asks)
    taker.deaf = True
    await maker.offers.post(draft(maximum=2 * COIN))
    await trio.sleep(1)
    taker.deaf = False
    assert len(taker.asks()) == 1
    await taker.until(lambda: len(taker.asks()) == 2, seconds=35)


async def test_a_cancellation_that_gossip_lost_is_found_out_by_the_digest(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    kept = await maker.offers.post(draft(maximum=COIN))
    gone = await maker.offers.post(draft(maximum=2 * COIN))
    await taker.until(lambda: len(taker.asks()) == 2)
    taker.deaf = True
    await maker.offers.cancel(gone.offer_id)
    await trio.sleep(1)
    taker.deaf = False
    await taker.until(lambda: len(taker.asks()) == 1, seconds=35)
    assert taker.asks()[0].offer_id == kept.offer_id
    last = (taker.market.changes_since(taker.market.sequence - 1) or ())[-1]
    assert last.why is Why.UNLISTED


async def test_a_replayed_offer_that_was_cancelled_stays_dead(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft(maximum=COIN))
    gone = await maker.offers.post(draft(maximum=2 * COIN))
    await taker.until(lambda: len(taker.asks()) == 2)
    old = [message.data for message in taker.heard]
    await maker.offers.cancel(gone.offer_id)
    await taker.until(lambda: len(taker.asks()) == 1)
    for data in old:
        offers = [item for item in decode_items(data) if item.kind is ItemKind.OFFER]
        if offers:
            taker.deliver(GossipMessage(TOPIC, encode_items(offers), "replayer"))
    with trio.move_on_after(40):
        await taker.market.wait_changed()
    assert len(taker.asks()) == 1


async def test_what_could_not_be_published_is_there_once_the_network_is_back(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    maker.peers.down = True
    await maker.offers.post(draft())
    await trio.sleep(1)
    assert taker.asks() == []
    maker.peers.down = False
    taker.peers.meet("maker", up=True)
    await taker.until(taker.asks, seconds=5)


async def test_an_offer_heard_third_hand_is_fetched_when_only_its_heartbeat_arrives(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, hub = await stage.node("maker"), await stage.node("hub")
    taker = await stage.node("taker")
    taker.deaf = True
    await maker.offers.post(draft())
    await hub.until(hub.asks)
    stage.network.cut.add("maker")
    beat = decode_items(hub.heard[-1].data)[0]
    taker.deaf = False
    taker.deliver(GossipMessage(TOPIC, encode_items([beat]), "hub"))
    await taker.until(taker.asks, seconds=5)
    assert taker.asks()[0].certificate is not None


async def test_a_certificate_that_is_missing_is_fetched(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    taker.deaf = True
    await maker.offers.post(draft())
    await maker.until(maker.asks)
    await trio.sleep(1)
    assert taker.asks() == []
    beat = await heartbeat(maker)
    offer = item_of(ItemKind.OFFER, maker.asks()[0].signed)
    taker.deaf = False
    taker.deliver(GossipMessage(TOPIC, encode_items([beat, offer]), "maker"))
    await taker.until(taker.asks, seconds=1)
    await trio.sleep(5)
    assert taker.asks()[0].certificate is not None


async def test_what_a_full_disk_kept_back_is_published_when_there_is_room(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    store: Any = maker.world.store
    await maker.offers.post(draft())
    store.full = True
    await trio.sleep(200)
    assert taker.asks() == []
    assert len(maker.asks()) == 1
    store.full = False
    await taker.until(taker.asks, seconds=10)
    store.full = True
    await taker.until(lambda: not taker.asks())
    assert len(maker.asks()) == 1
    store.full = False
    await taker.until(taker.asks, seconds=40)
    assert "offer" in taker.kinds_heard()
    assert (await maker.offers.post(draft(maximum=COIN))).offer.maximum == COIN


# --- Bad company ------------------------------------------------------------------------------


async def heartbeat(node: Node, **changes: object) -> Item:
    """A heartbeat signed with the node's maker key."""
    world = node.world
    state = node.market._book.state(world.signer.maker_key(), pair_id(BTC, LTC), at=0)
    plain = Heartbeat(
        1, world.signer.maker_key(), 1, world.clock.now_ms() + 10**6, world.clock.now(), (state,)
    )
    signed = await sign_own(world, Tag.HEARTBEAT, replace(plain, **changes))
    return Item(ItemKind.HEARTBEAT, signed.payload, signed.signature)


async def test_a_maker_that_signs_two_truths_is_dropped_by_all_and_stays_out(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, one = await stage.node("maker"), await stage.node("one")
    other = await stage.node("other")
    await maker.offers.post(draft())
    await one.until(one.asks)
    await other.until(other.asks)
    truths = [await heartbeat(maker), await heartbeat(maker, epoch=9)]
    one.deliver(GossipMessage(TOPIC, encode_items(truths), "maker"))
    await one.until(lambda: not one.asks(), seconds=1)
    await other.until(lambda: not other.asks(), seconds=1)
    assert "equivocation" in other.kinds_heard()
    await maker.offers.post(draft())
    await trio.sleep(100)
    assert one.asks() == other.asks() == []


async def test_a_retired_maker_is_gone_for_good(stage: Stage, autojump_clock: MockClock) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft())
    await taker.until(taker.asks)
    await maker.market.retire()
    await taker.until(lambda: not taker.asks(), seconds=1)
    taker.deliver(GossipMessage(TOPIC, encode_items([await heartbeat(maker)]), "maker"))
    await trio.sleep(100)
    assert taker.asks() == []


async def test_an_older_daemon_with_the_same_seed_falls_silent(
    stage: Stage, autojump_clock: MockClock
) -> None:
    older = await stage.node("before", seed="one seed", epoch=1)
    taker = await stage.node("taker")
    await older.offers.post(draft())
    await taker.until(taker.asks)
    newer = await stage.node("after", seed="one seed", epoch=2)
    stage.clock.advance(1)
    await newer.offers.post(draft(maximum=COIN))
    with trio.fail_after(5):
        await older.market.superseded.wait()
    assert not newer.market.superseded.is_set()
    await taker.until(lambda: [f.offer.maximum for f in taker.asks()] == [COIN], seconds=100)


async def test_a_new_life_of_a_seed_voids_what_the_lost_one_offered_and_trades_on(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """The lost machine is gone without a goodbye; its lease would be kept alive by the new one."""
    lost = await stage.node("before", seed="one seed", epoch=1)
    taker = await stage.node("taker")
    await lost.offers.post(draft())
    await taker.until(taker.asks)
    newer = await stage.node("after", seed="one seed", epoch=2)
    stage.clock.advance(1)
    await newer.offers.call()
    await taker.until(lambda: not taker.asks(), seconds=5)
    with trio.fail_after(5):
        await lost.market.superseded.wait()
    assert lost.world.mode.watch_only
    assert not newer.world.mode.watch_only
    await newer.offers.post(draft(maximum=COIN))
    await taker.until(lambda: [f.offer.maximum for f in taker.asks()] == [COIN], seconds=100)


async def test_of_two_copies_of_one_daemon_both_only_watch(
    stage: Stage, autojump_clock: MockClock
) -> None:
    one = await stage.node("one", seed="one seed", epoch=1)
    await one.offers.post(draft())
    copy = await stage.node("copy", seed="one seed", epoch=1)
    stage.clock.advance(1)
    await copy.offers.post(draft(maximum=COIN))
    with trio.fail_after(100):
        await one.market.superseded.wait()
    assert one.world.mode.watch_only


class Liar:
    """Answers every book request with the same items, and counts."""

    def __init__(self, stage: Stage, items: tuple[Item, ...], cursor: bytes = b"") -> None:
        self.peers = stage.network.join("har")
        self.requests: list[BookRequest] = []
        self._answer = encode_answer(BookAnswer(1, items, cursor))

    async def run(self) -> None:
        async for channel in self.peers.serve(BOOK_PROTOCOL):
            try:
                while True:
                    self.requests.append(decode_request(await channel.receive()))
                    await channel.send(self._answer)
            except ChannelClosed:
                continue


async def test_forged_offers_from_a_peer_are_refused_and_the_peer_is_told_apart(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    await maker.offers.post(draft())
    await maker.until(maker.asks)
    found = maker.asks()[0]
    await trio.sleep(1)
    cheaper = encode(replace(found.offer, price=Price.of(1, 750)))
    beat = await heartbeat(maker)
    forged = Item(ItemKind.OFFER, cheaper, found.signed.signature)
    stage.network.cut.add("maker")
    liar = Liar(stage, (beat, forged))
    stage.nursery.start_soon(liar.run)
    victim = await stage.node("victim")
    await trio.sleep(10)
    assert victim.asks() == []
    assert liar.requests
    assert [name for name, _ in victim.peers.penalised] == ["har"] * len(victim.peers.penalised)
    assert victim.peers.penalised


async def test_answers_that_never_end_are_ended(stage: Stage, autojump_clock: MockClock) -> None:
    liar = Liar(stage, (), cursor=b"\x01" * 64)
    stage.nursery.start_soon(liar.run)
    victim = await stage.node("victim")
    await trio.sleep(10)
    assert len(liar.requests) == 2
    assert victim.peers.penalised[0][0] == "har"


async def test_a_silent_server_costs_a_timeout_and_nothing_else(
    stage: Stage, autojump_clock: MockClock
) -> None:
    mute = stage.network.join("mute")
    mute.serve(BOOK_PROTOCOL)
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft())
    await taker.until(taker.asks)


async def test_one_peer_gets_only_two_conversations_at_once(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.node("hub")
    greedy = stage.network.join("greedy")
    channels = [await greedy.open("hub", (), BOOK_PROTOCOL) for _ in range(3)]
    request = encode_request(BookRequest(1, pair_id(BTC, LTC), b"", (), b""))
    answered = 0
    for channel in channels:
        try:
            await channel.send(request)
            decode_answer(await channel.receive(), after=b"")
            answered += 1
        except ChannelClosed:
            continue
    assert answered == 2


async def test_a_pair_that_is_not_followed_is_neither_kept_nor_told(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    other = await stage.node("other", pairs=((BTC, OTHER),))
    await maker.offers.post(draft())
    await trio.sleep(40)
    assert other.asks() == []
    assert other.heard == []


# --- Readers ----------------------------------------------------------------------------------


async def test_a_reader_resumes_where_it_stopped_without_a_gap(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    before = maker.market.sequence
    names = [(await maker.offers.post(draft(maximum=COIN))).offer_id for _ in range(3)]
    feed = maker.market.feed(before)
    first = await feed.next()
    assert not isinstance(first, Resync)
    assert [change.entry.offer_id for change in first if change.entry] == names
    resumed = maker.market.feed(first[0].sequence)
    rest = await resumed.next()
    assert not isinstance(rest, Resync)
    assert [change.entry.offer_id for change in rest if change.entry] == names[1:]


async def test_a_reader_of_an_earlier_run_must_take_a_snapshot(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    await maker.offers.post(draft(maximum=COIN))
    before = maker.market.sequence
    await maker.stop()
    again = await stage.node("maker", disk=maker.disk)
    assert again.market.sequence > before
    notice = await again.market.feed(before).next()
    assert notice == Resync(again.market.sequence)


async def test_a_reader_waits_for_the_next_change(stage: Stage, autojump_clock: MockClock) -> None:
    maker = await stage.node("maker")
    feed = maker.market.feed()
    with trio.move_on_after(10) as waited:
        await feed.next()
    assert waited.cancelled_caught
    posted = await maker.offers.post(draft(maximum=COIN))
    changes = await feed.next()
    assert not isinstance(changes, Resync)
    assert changes[0].entry is not None
    assert changes[0].entry.offer_id == posted.offer_id
