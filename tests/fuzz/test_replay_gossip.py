"""Every gossip message of a maker's life, again, at every stage of it: nothing changes."""

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from protocol.gossip import decode_items, validate_message
from protocol.lease import GONE_AFTER, PERIOD, WINDOW
from swapd.ports import GossipMessage
from tests.engine.market.stage import COIN, Node, Stage, draft
from tests.engine.market.swaps import swap
from tests.fakes.peers import FakePeers


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """An empty network; its nodes end with the test. Tests name `autojump_clock` too."""
    async with trio.open_nursery() as nursery:
        yield Stage(nursery)
        nursery.cancel_scope.cancel()


def memory(node: Node) -> tuple[object, ...]:
    """All that gossip could change at a node: its book, who is alive until when, who is where."""
    intake = node.market._intake
    leases = {
        maker: (lease.heartbeat.counter, lease.ends)
        for maker, lease in intake.leases._leases.items()
    }
    offers = [(found.offer_id, found.offer) for found in node.asks()]
    certificates = {maker: kept[1] for maker, kept in intake._certificates.items()}
    banned = (dict(intake.leases._banned), dict(intake.leases._retired))
    return offers, leases, certificates, banned, node.world.peers.penalised  # type: ignore[attr-defined] # a fake


async def again(node: Node, messages: list[GossipMessage]) -> None:
    """Each message by a stranger, past the network process's own check, one by one; whatever is
    still due by itself is done first."""
    await trio.testing.wait_all_tasks_blocked()
    for message in messages:
        before = memory(node)
        stranger = GossipMessage(message.topic, message.data, "stranger")
        FakePeers.deliver(node.peers, stranger)
        await trio.testing.wait_all_tasks_blocked()
        kinds = [item.kind for item in decode_items(message.data)]
        assert memory(node) == before, f"said again: {kinds}"


async def pass_time(stage: Stage, seconds: int) -> None:
    """Wall clock and trio's clock together, a second at a time, as the nodes see them."""
    for _ in range(seconds):
        stage.clock.advance(1)
        await trio.sleep(1)


async def test_gossip_of_a_makers_life_changes_nothing_when_it_is_said_again(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, hearer = await stage.node("maker"), await stage.node("hearer")
    posted = await maker.offers.post(draft())
    await hearer.until(hearer.asks)
    await again(hearer, list(hearer.heard))

    await pass_time(stage, PERIOD + 1)
    assert sum("heartbeat" in kind for kind in hearer.kinds_heard()) >= 2, "no second heartbeat"
    await again(hearer, list(hearer.heard))

    maker.offers.consume(posted.offer_id, swap(1), 4 * COIN)
    await hearer.until(lambda: hearer.asks()[0].offer_id != posted.offer_id)
    await again(hearer, list(hearer.heard))

    newest = hearer.asks()[0].offer_id
    await maker.offers.cancel(newest)
    await hearer.until(lambda: not hearer.asks())
    await again(hearer, list(hearer.heard))
    assert hearer.asks() == [], "a cancelled offer rose again"


async def test_heartbeats_and_offers_of_a_maker_that_is_gone_do_not_bring_it_back(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, hearer = await stage.node("maker"), await stage.node("hearer")
    await maker.offers.post(draft())
    await hearer.until(hearer.asks)
    recorded = list(hearer.heard)
    maker.crash()
    for _ in range(GONE_AFTER // 5):
        await pass_time(stage, 5)
        await again(hearer, recorded)
    assert hearer.asks() == []
    await pass_time(stage, 2 * WINDOW)
    await again(hearer, recorded)
    assert hearer.asks() == []
    heartbeats = [m for m in recorded if "heartbeat" in [i.kind for i in decode_items(m.data)]]
    assert heartbeats
    now = hearer.world.clock.now()
    assert not any(validate_message(m.topic, m.data, now) for m in heartbeats), "it would travel on"


async def test_to_a_newcomer_old_gossip_shows_no_dead_maker(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """Who has never heard of the maker believes a heartbeat only near its own time."""
    maker, hearer = await stage.node("maker"), await stage.node("hearer")
    await maker.offers.post(draft())
    await hearer.until(hearer.asks)
    recorded = list(hearer.heard)
    maker.crash()
    await pass_time(stage, GONE_AFTER)
    hearer.crash()
    newcomer = await stage.node("newcomer")
    await again(newcomer, recorded)
    assert newcomer.asks() == []
