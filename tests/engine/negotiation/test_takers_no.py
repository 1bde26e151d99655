"""When a take fails on the taker's side: which error, what it costs (nothing), who is told."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from protocol.assets import AssetId
from protocol.codec import decode, encode
from protocol.errors import Refusal
from protocol.negotiation.messages import (
    PROTOCOL_ID,
    Reserve,
    SignedReserve,
    SignedTake,
    read,
    swap_id_of,
)
from protocol.offers import Signed
from protocol.proof import FundsProof, funds_challenge
from protocol.signing import Signature, Tag
from protocol.terms import Timing
from swapd.engine.asking import MakerSilent, TakeRefused
from swapd.engine.reservations import Limit
from swapd.policy import AssetLimits, Policy
from swapd.ports import (
    InsufficientFunds,
    NetworkDown,
    NodeUnreachable,
    PeerUnreachable,
    StoreError,
)
from tests.engine.negotiation.stage import BTC, COIN, LTC, POLICY, Party, Stage, post, serving, take

BTC_ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
"""BIP173's example program on regtest; the take pays litecoin."""


def knocked(party: Party) -> bool:
    """Whether anybody was told of the take."""
    return bool(party.peers.opened)


# --- Before the maker hears of it -------------------------------------------------------------


@pytest.mark.parametrize("units", [-1, 0, 2 * COIN - 1, 10 * COIN + 1, 2**300])
async def test_an_amount_outside_the_offer_is_refused_at_home(units: int) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    with pytest.raises(TakeRefused) as caught:
        await take(taker, signed, units)
    assert caught.value.refusal is Refusal.AMOUNT_OUT_OF_RANGE
    assert not caught.value.by_maker
    assert caught.value.remedy
    assert not knocked(taker)


async def test_our_own_offer_is_not_for_us() -> None:
    stage = Stage()
    maker = stage.party("maker")
    with pytest.raises(TakeRefused) as caught:
        await take(maker, await post(maker), 4 * COIN)
    assert caught.value.refusal is Refusal.OWN_OFFER


async def test_an_expired_offer_is_refused_at_home() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    stage.clock.advance(3600)
    with pytest.raises(TakeRefused) as caught:
        await take(taker, signed, 4 * COIN)
    assert caught.value.refusal is Refusal.OFFER_EXPIRED
    assert not knocked(taker)


async def test_an_offer_that_its_maker_did_not_sign_is_refused_at_home() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    forged = Signed(signed.payload, await taker.world.signer.sign_maker(Tag.OFFER, signed.payload))
    with pytest.raises(TakeRefused) as caught:
        await take(taker, forged, 4 * COIN)
    assert caught.value.refusal is Refusal.BAD_SIGNATURE
    assert not knocked(taker)


async def test_an_offer_of_another_timing_is_refused_at_home() -> None:
    stage = Stage()
    maker = stage.party("maker")
    taker = stage.party("taker", policy=replace(POLICY, timing=Timing.STANDARD))
    with pytest.raises(TakeRefused) as caught:
        await take(taker, await post(maker), 4 * COIN)
    assert caught.value.refusal is Refusal.WRONG_TERMS
    assert not knocked(taker)


async def test_an_asset_we_have_no_node_for_is_refused_at_home() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    chains = {BTC: taker.world.chains[BTC]}
    object.__setattr__(taker.world, "chains", chains)
    with pytest.raises(TakeRefused) as caught:
        await take(taker, await post(maker), 4 * COIN)
    assert caught.value.refusal is Refusal.UNSUPPORTED_ASSET


async def test_a_value_that_fees_could_eat_a_tenth_of_is_refused_at_home() -> None:
    stage = Stage()
    maker = stage.party("maker")
    taker = stage.party("taker", policy=replace(POLICY, stress_fee_rate=2_000_000))
    with pytest.raises(TakeRefused) as caught:
        await take(taker, await post(maker), 4 * COIN)
    assert caught.value.refusal is Refusal.BELOW_ECONOMIC_MINIMUM
    assert not knocked(taker)


@pytest.mark.parametrize(
    ("assets", "limit"),
    [
        ({LTC: AssetLimits(maximum=4 * COIN - 1)}, Limit.MAXIMUM),
        ({BTC: AssetLimits(minimum=5_000_001)}, Limit.MINIMUM),
        ({BTC: AssetLimits(max_locked=4_999_999)}, Limit.LOCKED),
    ],
)
async def test_our_own_limits_are_named_and_hold_before_the_maker_hears_of_it(
    assets: dict[AssetId, AssetLimits], limit: Limit
) -> None:
    stage = Stage()
    maker = stage.party("maker")
    taker = stage.party("taker", policy=replace(POLICY, assets=assets))
    with pytest.raises(TakeRefused) as caught:
        await take(taker, await post(maker), 4 * COIN)
    assert (caught.value.refusal, caught.value.limit) == (Refusal.LIMIT_REACHED, limit)
    assert not knocked(taker)


@pytest.mark.parametrize(
    ("policy", "limit"),
    [
        (replace(POLICY, max_open_swaps=1), Limit.OPEN_SWAPS),
        (replace(POLICY, max_open_swaps_per_peer=1), Limit.PEER_SWAPS),
    ],
)
async def test_our_own_limits_of_open_swaps_count_what_is_agreed(
    policy: Policy, limit: Limit
) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker", policy=policy)
    signed = await post(maker)
    async with serving(maker):
        await take(taker, signed, 2 * COIN)
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 2 * COIN)
    assert caught.value.limit is limit
    assert len(taker.swaps.agreements) == 1


async def test_without_coins_the_maker_never_hears_of_it() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker", coins=0)
    with pytest.raises(InsufficientFunds) as caught:
        await take(taker, await post(maker), 4 * COIN)
    assert caught.value.confirmed == 0
    assert not knocked(taker)
    assert taker.is_idle()


async def test_coins_promised_to_one_take_are_not_there_for_another() -> None:
    stage = Stage()
    maker, taker = stage.party("maker", coins=200), stage.party("taker", coins=1)
    # The taker has 10 BTC: 480 LTC cost 6.
    signed = await post(maker, maximum=1_000 * COIN)
    async with serving(maker):
        await take(taker, signed, 480 * COIN)
        with pytest.raises(InsufficientFunds):
            await take(taker, signed, 480 * COIN)
    assert len(maker.swaps.agreements) == 1


@pytest.mark.parametrize("address", ["", "nonsense", BTC_ADDRESS])
async def test_a_destination_of_another_chain_is_refused_at_home(address: str) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    with pytest.raises(ValueError):
        await take(taker, signed, 4 * COIN, destination=address)
    assert not knocked(taker)


async def test_with_a_node_down_or_unhealthy_the_maker_never_hears_of_it() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    taker.btc.down = True
    with pytest.raises(NodeUnreachable):
        await take(taker, signed, 4 * COIN)
    taker.btc.down = False
    taker.ltc.problems = ("the tip is 40 minutes old",)
    with pytest.raises(TakeRefused, match="40 minutes"):
        await take(taker, signed, 4 * COIN)
    assert not knocked(taker)
    assert taker.is_idle()


# --- While talking ----------------------------------------------------------------------------


async def test_a_maker_that_is_not_there_costs_nothing() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    stage.network.cut.add("maker")
    with pytest.raises(PeerUnreachable):
        await take(taker, signed, 4 * COIN)
    taker.peers.down = True
    with pytest.raises(NetworkDown):
        await take(taker, signed, 4 * COIN)
    assert taker.is_idle()


async def test_a_maker_that_falls_silent_costs_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    inbound = maker.world.peers.serve(PROTOCOL_ID)
    with pytest.raises(MakerSilent):
        await take(taker, signed, 4 * COIN)
    assert taker.is_idle()
    inbound.close()


async def test_a_full_disk_stops_the_take_before_the_hashlock_leaves() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    taker.store.full = True
    async with serving(maker):
        with pytest.raises(StoreError):
            await take(taker, signed, 4 * COIN)
        await trio.testing.wait_all_tasks_blocked()
    assert taker.is_idle()
    assert maker.is_idle()


def lying(stage: Stage, maker: Party, change: Callable[[Reserve], Reserve]) -> None:
    """From now on the maker's answers are changed, and signed with its own key all the same."""
    key = maker.world.signer

    def forge(_from: str, _to: str, data: bytes) -> bytes:
        message = read(data)
        if not isinstance(message, SignedReserve):
            return data
        answer = change(decode(Reserve, message.payload, max_size=16 * 1024))
        payload = encode(answer)
        signature: list[Signature] = []
        # The fake signs at once: one step of its coroutine is all of it.
        try:
            key.sign_maker(Tag.RESERVE, payload).send(None)
        except StopIteration as done:
            signature.append(done.value)
        return encode(SignedReserve(payload, signature[0]))

    stage.network.tap = forge


async def test_a_proof_of_funds_for_another_take_is_refused_before_the_hashlock_leaves() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    other = await maker.ltc.prove_funds(funds_challenge(bytes(32)), 4 * COIN)
    lying(stage, maker, lambda answer: replace(answer, proof=other))
    await refused_at_home(maker, taker, signed, Refusal.BAD_PROOF_OF_FUNDS)


async def test_a_proof_of_less_than_the_fill_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    monkeypatch.setattr(maker.ltc, "prove_funds", poor_proof(maker))
    await refused_at_home(maker, taker, signed, Refusal.BAD_PROOF_OF_FUNDS)


def poor_proof(maker: Party) -> Callable[[bytes, int], Coroutine[Any, Any, FundsProof]]:
    """Proves whatever coins there are, but only one litoshi's worth was looked for."""
    honest = maker.ltc.prove_funds
    maker.ltc.ledger.grant(maker.ltc.fresh_script(), COIN)

    async def prove(challenge: bytes, _units: int) -> FundsProof:
        rich = [coin for coin in maker.ltc._coins() if coin.units > COIN]
        maker.ltc._fresh.update(coin.ref for coin in rich)
        return await honest(challenge, 1)

    return prove


async def test_a_maker_on_a_fork_is_refused_before_the_hashlock_leaves() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)

    def fork(answer: Reserve) -> Reserve:
        pinned = replace(answer.pinned_p, height=answer.pinned_p.height + 1)
        return replace(answer, pinned_p=pinned)

    lying(stage, maker, fork)
    await refused_at_home(maker, taker, signed, Refusal.WRONG_CHAIN)


async def refused_at_home(maker: Party, taker: Party, signed: Signed, expected: Refusal) -> None:
    """The taker drops the take by itself: no hashlock of ours left, neither side holds a coin."""
    async with serving(maker):
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 4 * COIN)
        await trio.testing.wait_all_tasks_blocked()
    assert (caught.value.refusal, caught.value.by_maker) == (expected, False)
    assert not taker.store.disk.hashlocks
    assert taker.is_idle()
    assert maker.is_idle()


async def test_a_hashlock_of_ours_that_was_seen_before_never_leaves() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    object.__setattr__(taker.world, "entropy", bytes)  # a copied machine: the same salts again
    sent: list[object] = []

    def used_before(_from: str, _to: str, data: bytes) -> bytes:
        message = read(data)
        sent.append(type(message))
        if isinstance(message, SignedTake):
            swap_id = swap_id_of(message.payload)
            taker.store.disk.hashlocks.add(taker.world.signer.hashlock(bytes(32), swap_id))
        return data

    stage.network.tap = used_before
    async with serving(maker):
        with pytest.raises(TakeRefused) as caught:
            await take(taker, signed, 4 * COIN)
    assert (caught.value.refusal, caught.value.by_maker) == (Refusal.REUSED_HASHLOCK, False)
    assert sent == [SignedTake, SignedReserve]
    assert taker.is_idle()
