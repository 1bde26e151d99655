"""A tower over its protocol: what it keeps, proves, refuses; and that it acts on what it keeps."""

import msgspec
import pytest
import trio
import trio.testing

from protocol.bitcoin.tx import parse_tx
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.terms import LegName
from protocol.tower.messages import PROTOCOL_ID, Held, Holding, Kept, Put, Stage, read_answer
from protocol.tower.package import Package, digest
from swapd.engine.tower_talk import TowerRefused
from swapd.ports import ChannelClosed
from swapd.tower.quotas import SPENT_SECONDS, UNSEEN_SECONDS, Bounds
from swapd.tower.server import MAX_QUESTIONS_PER_MINUTE
from tests.protocol.tower import samples
from tests.protocol.tower.samples import CLAIM_I, PREIMAGE, REFUND_P, TERMS
from tests.tower.bench import ADDRESS, Bench

TICKET, OTHER = b"\x01" * 32, b"\x02" * 32
replace = msgspec.structs.replace


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def refused(bench: Bench, package: Package, client: str = "client") -> Refusal:
    """Why a tower does not take a package."""
    async with bench.talking(client) as talk:
        with pytest.raises(TowerRefused) as caught:
            await talk.put(TICKET, package)
    return caught.value.refusal


# --- Keeping ----------------------------------------------------------------------------------


async def test_a_package_is_kept_proven_and_dropped(bench: Bench) -> None:
    async with bench.running(), bench.talking() as talk:
        await talk.put(TICKET, REFUND_P)
        report = await talk.report({TICKET: REFUND_P, OTHER: CLAIM_I})
        assert report.proven == {TICKET}
        assert report.holdings[TICKET].sequence == REFUND_P.sequence
        assert report.holdings[OTHER].stage is Stage.NONE
        assert {tip.chain for tip in report.tips} == {bench.btc.chain, bench.ltc.chain}
        await talk.drop(TICKET)
        assert (await talk.report({TICKET: REFUND_P})).proven == frozenset()
    assert bench.disk.values == {}


async def test_what_is_kept_outlives_the_process_and_is_watched_again(bench: Bench) -> None:
    async with bench.running(), bench.talking() as talk:
        await talk.put(TICKET, CLAIM_I)
    bench.btc.watches.clear()
    bench.ltc.watches.clear()
    async with bench.running(), bench.talking() as talk:
        assert (await talk.report({TICKET: CLAIM_I})).proven == {TICKET}
        assert len(bench.btc.watches) == len(bench.ltc.watches) == 1


async def test_a_newer_package_replaces_an_older_one_and_never_the_other_way(bench: Bench) -> None:
    newer = replace(REFUND_P, sequence=5)
    async with bench.running(), bench.talking() as talk:
        await talk.put(TICKET, newer)
        await talk.put(TICKET, newer)
        with pytest.raises(TowerRefused):
            await talk.put(TICKET, REFUND_P)
        with pytest.raises(TowerRefused):
            await talk.put(TICKET, replace(newer, yield_until=1))
        assert (await talk.report({TICKET: newer})).proven == {TICKET}
        await talk.put(TICKET, replace(newer, sequence=6))


async def test_a_tower_refuses_chains_that_it_does_not_see_and_forks(bench: Bench) -> None:
    async with bench.running():
        bench.ltc.forked = True
        assert await refused(bench, REFUND_P) is Refusal.WRONG_CHAIN
        bench.ltc.forked, bench.ltc.down = False, True
        assert await refused(bench, REFUND_P) is Refusal.NODE_NOT_READY
        async with bench.talking() as talk:
            tips = {tip.chain: tip.problem for tip in (await talk.report({})).tips}
        assert tips == {bench.btc.chain: "", bench.ltc.chain: "the node can't be asked"}


async def test_a_bad_package_is_refused_and_its_sender_penalised(bench: Bench) -> None:
    async with bench.running():
        stolen = replace(REFUND_P, destination=samples.payout("thief", LegName.P))
        assert await refused(bench, stolen) is Refusal.BAD_SIGNATURE
        await trio.testing.wait_all_tasks_blocked()
        assert [peer for peer, _ in bench.peers.penalised] == ["client"]
        assert bench.disk.values == {}


async def test_bytes_that_are_no_question_end_the_conversation(bench: Bench) -> None:
    async with bench.running():
        channel = await bench.client().peers.open(*_at(), PROTOCOL_ID)
        await channel.send(b"\xc1")
        assert b"malformed" in await channel.receive()
        with pytest.raises(ChannelClosed):
            await channel.receive()


def _at() -> tuple[str, tuple[str, ...]]:
    return ADDRESS.peer_id, ADDRESS.addresses


# --- Quotas -----------------------------------------------------------------------------------


async def test_one_stranger_fills_only_his_part(bench: Bench) -> None:
    bench.bounds = Bounds(per_stranger=2, strangers=3)
    async with bench.running():
        async with bench.talking("a") as talk:
            for n in (10, 11):
                await talk.put(bytes([n]) * 32, REFUND_P)
            await talk.put(bytes([10]) * 32, replace(REFUND_P, sequence=2))
        assert await refused(bench, REFUND_P, "a") is Refusal.LIMIT_REACHED
        async with bench.talking("b") as talk:
            await talk.put(b"\x08" * 32, REFUND_P)
        assert await refused(bench, REFUND_P, "c") is Refusal.LIMIT_REACHED


async def test_no_stranger_takes_the_room_of_a_named_client(bench: Bench) -> None:
    bench.bounds = Bounds(strangers=1, clients=frozenset({"friend"}), per_client=2)
    async with bench.running():
        async with bench.talking("a") as talk:
            await talk.put(b"\x00" * 32, REFUND_P)
        async with bench.talking("friend") as talk:
            for n in range(1, 3):
                await talk.put(bytes([n]) * 32, REFUND_P)
            with pytest.raises(TowerRefused):
                await talk.put(b"\x03" * 32, REFUND_P)


async def test_a_tower_may_serve_nobody_but_its_own(bench: Bench) -> None:
    bench.bounds = Bounds(strangers=0, clients=frozenset({"friend"}))
    async with bench.running():
        assert await refused(bench, REFUND_P) is Refusal.LIMIT_REACHED
        async with bench.talking("friend") as talk:
            await talk.put(TICKET, REFUND_P)


async def test_a_package_that_would_have_a_chain_read_from_far_back_is_refused(
    bench: Bench,
) -> None:
    # Four days of litecoin are 2304 blocks.
    bench.ltc.shown = samples.view(LegName.P, tip_height=900 + 2305)
    async with bench.running():
        assert await refused(bench, REFUND_P) is Refusal.LIMIT_REACHED
        bench.ltc.shown = samples.view(LegName.P, tip_height=900 + 2304)
        async with bench.talking() as talk:
            await talk.put(TICKET, REFUND_P)


async def test_more_questions_than_anybody_needs_are_refused_for_a_while(
    bench: Bench, autojump_clock: trio.testing.MockClock
) -> None:
    async with bench.running():
        async with bench.talking() as talk:
            for _ in range(MAX_QUESTIONS_PER_MINUTE):
                await talk.report({})
            with pytest.raises(TowerRefused) as caught:
                await talk.report({})
            assert caught.value.refusal is Refusal.BUSY
        await trio.sleep(61)
        async with bench.talking() as talk:
            await talk.report({})


# --- Acting -----------------------------------------------------------------------------------


async def until(bench: Bench, count: int) -> None:
    """So many transactions left for bitcoin's network."""
    with trio.fail_after(5):
        while len(bench.btc.sent) < count:
            await trio.testing.wait_all_tasks_blocked()


async def test_a_preimage_in_a_mempool_makes_the_tower_claim_for_its_client(bench: Bench) -> None:
    bench.btc.shown = samples.view(LegName.I, samples.lock(LegName.I))
    async with bench.running():
        async with bench.talking() as talk:
            await talk.put(TICKET, CLAIM_I)
        await trio.testing.wait_all_tasks_blocked()
        assert bench.btc.sent == []
        claimed = samples.lock(LegName.P, spend=samples.claimed())
        bench.ltc.show(samples.view(LegName.P, claimed))
        await until(bench, 1)
        tx = parse_tx(bench.btc.sent[0])
        assert tx.outputs[0].script_pubkey == CLAIM_I.destination
        async with bench.talking() as talk:
            holding = (await talk.report({TICKET: CLAIM_I})).holdings[TICKET]
        assert (holding.stage, holding.txid) == (Stage.ACTING, tx.txid().hex())


async def test_a_preimage_seen_is_on_disk_before_the_claim_leaves_and_outlives_a_crash(
    bench: Bench,
) -> None:
    bench.btc.shown = samples.view(LegName.I, samples.lock(LegName.I))
    bench.btc.rejects = "the mempool is full"
    claimed = samples.lock(LegName.P, spend=samples.claimed())
    bench.ltc.shown = samples.view(LegName.P, claimed)
    async with bench.running():
        async with bench.talking() as talk:
            await talk.put(TICKET, CLAIM_I)
        await until(bench, 1)
    # The other side's claim is gone from every mempool; the tower was killed meanwhile.
    bench.ltc.shown = samples.view(LegName.P, samples.lock(LegName.P))
    bench.btc.rejects, bench.btc.sent = "", []
    async with bench.running():
        await until(bench, 1)
    assert parse_tx(bench.btc.sent[0]).inputs[0].witness[0] == PREIMAGE


async def test_one_dead_node_keeps_no_other_package_from_being_acted_on(bench: Bench) -> None:
    late = samples.view(LegName.I, samples.lock(LegName.I), median_time=TERMS.leg_i.expiry + 1)
    async with bench.running():
        async with bench.talking() as talk:
            await talk.put(TICKET, REFUND_P)
            await talk.put(OTHER, samples.REFUND_I)
        bench.ltc.down = True
        bench.clock.set(TERMS.leg_i.expiry + 1)
        bench.btc.show(late)
        await until(bench, 1)


async def test_packages_are_forgotten_when_they_are_spent_expired_or_never_funded(
    bench: Bench,
) -> None:
    mined = samples.refunded(TERMS.leg_p.depth)
    spent = samples.view(LegName.P, samples.lock(LegName.P, spend=mined))
    ends = (
        (spent, SPENT_SECONDS + 1),
        (samples.view(LegName.P), TERMS.leg_p.expiry + UNSEEN_SECONDS + 1 - TERMS.t0),
        (samples.view(LegName.P, samples.lock(LegName.P)), REFUND_P.keep_until + 1 - TERMS.t0),
    )
    for view, seconds in ends:
        one = Bench()
        one.ltc.shown = view
        async with one.running() as keeper:
            async with one.talking() as talk:
                await talk.put(TICKET, REFUND_P)
            await trio.testing.wait_all_tasks_blocked()
            assert len(one.disk.values) == 1
            one.clock.advance(seconds)
            keeper.poke()
            await trio.testing.wait_all_tasks_blocked()
            assert one.disk.values == {}
            assert one.ltc.watches == {}


# --- Towers that lie --------------------------------------------------------------------------


async def test_a_tower_that_kept_another_package_is_found_out_at_once(bench: Bench) -> None:
    other = replace(REFUND_P, sequence=9)

    def lie(sender: str, _: str, message: bytes) -> bytes:
        return encode(Kept(TICKET, digest(other))) if sender == "tower" else message

    bench.network.tap = lie
    async with bench.running(), bench.talking() as talk:
        with pytest.raises(RemoteProtocolError, match="another package"):
            await talk.put(TICKET, REFUND_P)


async def test_a_tower_that_repeats_an_old_proof_proves_nothing(bench: Bench) -> None:
    heard: list[bytes] = []

    def repeat(sender: str, _: str, message: bytes) -> bytes:
        if sender == "tower" and isinstance(read_answer(message), Held):
            heard.append(message)
            return heard[0]
        return message

    bench.network.tap = repeat
    async with bench.running(), bench.talking() as talk:
        await talk.put(TICKET, REFUND_P)
        assert (await talk.report({TICKET: REFUND_P})).proven == {TICKET}
        assert (await talk.report({TICKET: REFUND_P})).proven == frozenset()


async def test_an_answer_about_other_tickets_is_refused(bench: Bench) -> None:
    def swap(sender: str, _: str, message: bytes) -> bytes:
        if sender != "tower":
            return message
        holding = Holding(OTHER, 1, b"", Stage.NONE, seen=False, txid="")
        return encode(Held((holding,), ()))

    bench.network.tap = swap
    async with bench.running(), bench.talking() as talk:
        with pytest.raises(RemoteProtocolError, match="another question"):
            await talk.report({TICKET: REFUND_P})


def test_a_question_travels_in_one_message_of_the_network() -> None:
    assert len(encode(Put(TICKET, encode(CLAIM_I)))) < 64 * 1024
