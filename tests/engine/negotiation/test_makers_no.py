"""When a maker says no: to whom, in which words, and that nothing stays promised."""

from collections.abc import Callable

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from protocol.assets import AssetId
from protocol.errors import Refusal
from protocol.negotiation.messages import (
    PROTOCOL_ID,
    Propose,
    Refuse,
    SignedReserve,
    read,
)
from swapd.engine.asking import MakerSilent, TakeRefused
from swapd.engine.maker import MAX_CHANNELS_PER_PEER, MAX_TAKES_PER_MINUTE
from swapd.policy import AssetLimits, Policy
from swapd.ports import ChannelClosed
from tests.engine.negotiation.stage import (
    BTC,
    COIN,
    LTC,
    POLICY,
    Party,
    Stage,
    post,
    serving,
    take,
)


def node_down(maker: Party) -> None:
    maker.ltc.down = True


def node_ill(maker: Party) -> None:
    maker.btc.problems = ("only 1 peer: secret topology",)


def wallet_locked(maker: Party) -> None:
    maker.ltc.locked = True


def disk_full(maker: Party) -> None:
    maker.store.full = True


def offer_gone(maker: Party) -> None:
    maker.offers.live.clear()


def coins_gone(maker: Party) -> None:
    maker.ltc._fresh.update(coin.ref for coin in maker.ltc._owned())


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (node_down, Refusal.NODE_NOT_READY),
        (node_ill, Refusal.NODE_NOT_READY),
        (wallet_locked, Refusal.NODE_NOT_READY),
        (disk_full, Refusal.INTERNAL),
        (offer_gone, Refusal.UNKNOWN_OFFER),
        (coins_gone, Refusal.INSUFFICIENT_FUNDS),
    ],
)
async def test_a_maker_that_cannot_says_so_and_holds_nothing(
    what: Callable[[Party], None], expected: Refusal
) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    what(maker)
    async with serving(maker):
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 4 * COIN)
    assert (caught.value.refusal, caught.value.by_maker) == (expected, True)
    assert "secret topology" not in caught.value.detail
    assert maker.is_idle()
    assert taker.is_idle()
    assert set(maker.offers.left.values()) == {10 * COIN}


@pytest.mark.parametrize(
    "policy",
    [
        replace(POLICY, max_open_swaps=1),
        replace(POLICY, max_open_swaps_per_peer=1),
        replace(POLICY, assets={LTC: AssetLimits(max_locked=5 * COIN)}),
    ],
)
async def test_the_makers_limits_count_what_is_agreed_already(policy: Policy) -> None:
    stage = Stage()
    maker, taker = stage.party("maker", policy=policy), stage.party("taker")
    signed = await post(maker)
    async with serving(maker):
        await take(taker, signed, 3 * COIN)
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 3 * COIN)
    assert caught.value.refusal is Refusal.LIMIT_REACHED
    assert len(maker.swaps.agreements) == 1


@pytest.mark.parametrize(
    "limits",
    [
        {LTC: AssetLimits(maximum=3 * COIN)},
        {LTC: AssetLimits(minimum=5 * COIN)},
        {BTC: AssetLimits(maximum=4_999_999)},
        {BTC: AssetLimits(minimum=5_000_001)},
    ],
)
async def test_the_makers_limits_for_one_swap_hold_for_both_assets(
    limits: dict[AssetId, AssetLimits],
) -> None:
    stage = Stage()
    maker = stage.party("maker", policy=replace(POLICY, assets=limits))
    taker = stage.party("taker")
    signed = await post(maker)
    async with serving(maker):
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 4 * COIN)
    assert caught.value.refusal is Refusal.LIMIT_REACHED
    assert "499" not in caught.value.detail


async def test_a_hashlock_that_the_maker_saw_before_is_refused() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)

    def seen_before(_from: str, _to: str, data: bytes) -> bytes:
        message = read(data)
        if isinstance(message, Propose):
            salt = next(iter(taker.store.disk.values.values()))
            (swap,) = [key[1] for key in taker.store.disk.values if key[0] == "salt"]
            hashlock = taker.world.signer.hashlock(salt, bytes.fromhex(swap))
            maker.store.disk.hashlocks.add(hashlock)
        return data

    stage.network.tap = seen_before
    async with serving(maker):
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 4 * COIN)
    assert caught.value.refusal is Refusal.REUSED_HASHLOCK
    assert maker.is_idle()


@pytest.mark.parametrize(
    ("policy", "second"),
    [
        (replace(POLICY, max_open_swaps=1), "other"),
        (replace(POLICY, max_open_swaps_per_peer=1), "taker"),
        (replace(POLICY, assets={LTC: AssetLimits(max_locked=7 * COIN)}), "other"),
    ],
)
async def test_the_makers_limits_count_what_is_only_reserved(policy: Policy, second: str) -> None:
    stage = Stage()
    maker = stage.party("maker", coins=2, policy=policy)
    parties = {name: stage.party(name) for name in ("taker", "other")}
    async with serving(maker):
        data = await first_take(stage, maker, parties["taker"])
        channel = await parties["taker"].peers.open("maker", (), PROTOCOL_ID)
        await channel.send(data)
        assert isinstance(read(await channel.receive()), SignedReserve)
        with pytest.raises(TakeRefused) as caught:
            await take(parties[second], await post(maker, sequence=2), 4 * COIN)
    assert caught.value.refusal is Refusal.LIMIT_REACHED


# --- Strangers that speak for themselves ------------------------------------------------------


async def first_take(stage: Stage, maker: Party, taker: Party) -> bytes:
    """The bytes of an honest take, lost on their way to a serving maker."""
    caught: list[bytes] = []

    def keep(_from: str, _to: str, data: bytes) -> bytes | None:
        caught.append(data)
        return None

    signed = await post(maker)
    stage.network.tap = keep
    with pytest.raises(MakerSilent):
        await take(taker, signed, 4 * COIN)
    stage.network.tap = lambda _from, _to, data: data
    return caught[0]


async def say(party: Party, *messages: bytes) -> list[object]:
    """Says something to the maker; what it answered until it hung up."""
    channel = await party.world.peers.open("maker", (), PROTOCOL_ID)
    heard: list[object] = []
    try:
        for message in messages:
            await channel.send(message)
        while True:
            heard.append(read(await channel.receive()))
    except ChannelClosed:
        return heard


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", Refusal.MALFORMED),
        (b"\xc1 no such thing", Refusal.MALFORMED),
        (bytes(16 * 1024 + 1), Refusal.TOO_LARGE),
    ],
)
async def test_whoever_talks_rubbish_is_refused_by_name_and_reported(
    message: bytes, expected: Refusal
) -> None:
    stage = Stage()
    maker, stranger = stage.party("maker"), stage.party("stranger")
    async with serving(maker):
        (answer,) = await say(stranger, message)
    assert isinstance(answer, Refuse)
    assert answer.refusal is expected
    assert [who for who, _ in maker.peers.penalised] == ["stranger"]
    assert maker.is_idle()


async def test_a_take_replayed_by_a_third_party_is_refused_and_the_first_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    third = stage.party("third")
    async with serving(maker), trio.open_nursery() as nursery:
        data = await first_take(stage, maker, taker)
        channel = await taker.world.peers.open("maker", (), PROTOCOL_ID)
        await channel.send(data)
        assert isinstance(read(await channel.receive()), SignedReserve)
        held = maker.ledger.held(LTC)
        (answer,) = await say(third, data)
        assert isinstance(answer, Refuse)
        assert answer.refusal is Refusal.WRONG_SWAP
        assert maker.ledger.held(LTC) == held > 0
        nursery.cancel_scope.cancel()


async def test_a_taker_that_falls_silent_gives_the_coins_back_to_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    async with serving(maker):
        data = await first_take(stage, maker, taker)
        channel = await taker.world.peers.open("maker", (), PROTOCOL_ID)
        await channel.send(data)
        assert isinstance(read(await channel.receive()), SignedReserve)
        assert maker.ledger.held(LTC) > 0
        with pytest.raises(ChannelClosed):
            await channel.receive()
        await trio.testing.wait_all_tasks_blocked()
        assert maker.is_idle()
        assert set(maker.offers.left.values()) == {10 * COIN}


async def test_a_proposal_twice_makes_one_swap() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    proposals: list[bytes] = []

    def keep(_from: str, _to: str, data: bytes) -> bytes:
        if isinstance(read(data), Propose):
            proposals.append(data)
        return data

    stage.network.tap = keep
    async with serving(maker):
        await take(taker, signed, 4 * COIN)
        (answer,) = await say(taker, proposals[0])
    assert isinstance(answer, Refuse)
    assert answer.refusal is Refusal.UNEXPECTED_MESSAGE
    assert len(maker.swaps.agreements) == 1


@pytest.mark.parametrize("blocks", [101, 102])
async def test_a_taker_on_a_fork_is_refused_at_the_same_and_at_another_height(blocks: int) -> None:
    stage, fork = Stage(), Stage()
    maker = stage.party("maker")
    fork.network = stage.network
    # The same genesis, then other blocks.
    fork.btc.undo(100)
    fork.btc.mine(blocks)
    taker = fork.party("taker")
    stage.clock.set(fork.clock.now())
    taker.world.chains[LTC].ledger = stage.ltc  # type: ignore[attr-defined] # a fake's own
    signed = await post(maker)
    async with serving(maker):
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 4 * COIN)
    assert (caught.value.refusal, caught.value.by_maker) == (Refusal.WRONG_CHAIN, True)
    assert maker.is_idle()


async def test_a_peer_that_opens_too_many_channels_is_told_to_come_back_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stage = Stage()
    maker, taker, other = stage.party("maker"), stage.party("taker"), stage.party("other")
    signed = await post(maker)
    async with serving(maker):
        idle = [
            await taker.world.peers.open("maker", (), PROTOCOL_ID)
            for _ in range(MAX_CHANNELS_PER_PEER)
        ]
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 4 * COIN)
        assert caught.value.refusal is Refusal.BUSY
        await take(other, signed, 4 * COIN)
        for channel in idle:
            await channel.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await take(taker, signed, 4 * COIN)


async def test_a_peer_that_takes_too_often_is_told_to_come_back_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stage = Stage()
    maker, stranger = stage.party("maker"), stage.party("stranger")
    async with serving(maker):
        for _ in range(MAX_TAKES_PER_MINUTE):
            (answer,) = await say(stranger, b"")
            assert isinstance(answer, Refuse)
            assert answer.refusal is Refusal.MALFORMED
        (answer,) = await say(stranger, b"")
        assert isinstance(answer, Refuse)
        assert answer.refusal is Refusal.BUSY
        await trio.sleep(61)
        (answer,) = await say(stranger, b"")
        assert isinstance(answer, Refuse)
        assert answer.refusal is Refusal.MALFORMED
