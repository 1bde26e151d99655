"""A take between two daemons: what is promised, journalled and sent, and in which order."""

import pytest
import trio
from msgspec.structs import replace

from protocol.codec import encode
from protocol.errors import Refusal
from protocol.negotiation.messages import Accept, Propose, SignedTake, read
from protocol.offers import Signed, offer_id
from protocol.signing import Tag, is_signed
from protocol.swap.states import Dead
from protocol.swap.timelocks import schedule_of
from protocol.terms import LegName, Role
from swapd.engine.asking import SALT_SPACE, MakerSilent, TakeRefused
from tests.engine.negotiation.stage import BTC, COIN, LTC, Party, Stage, post, serving, take


async def test_both_sides_journal_the_same_terms_and_promise_their_own_coins() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    async with serving(maker):
        agreement = await take(taker, signed, 4 * COIN)
    (other,) = maker.swaps.agreements
    assert taker.swaps.agreements == [agreement]
    terms = agreement.terms
    assert other.terms == terms
    assert (agreement.role, other.role) == (Role.INITIATOR, Role.PARTICIPANT)
    assert (terms.leg_p.amount.asset, terms.leg_p.amount.units) == (LTC, 4 * COIN)
    assert (terms.leg_i.amount.asset, terms.leg_i.amount.units) == (BTC, 5_000_000)
    assert schedule_of(terms).expiry_i == terms.leg_i.expiry
    # Each promises its own leg and a fee, and nothing else.
    assert 4 * COIN < maker.ledger.held(LTC) < 4 * COIN + 10_000
    assert 5_000_000 < taker.ledger.held(BTC) < 5_000_000 + 10_000
    assert maker.ledger.held(BTC) == taker.ledger.held(LTC) == 0
    assert maker.offers.remaining(offer_id(signed)) == 6 * COIN
    assert maker.ledger.held_of_offer(offer_id(signed)) == 4 * COIN
    assert maker.broadcasts == taker.broadcasts == 0


async def test_an_agreement_holds_all_that_a_swap_needs_to_run_alone() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    async with serving(maker):
        ours = await take(taker, signed, 4 * COIN)
    (theirs,) = maker.swaps.agreements
    for agreement in (ours, theirs):
        payload = encode(agreement.terms)
        assert is_signed(agreement.terms.maker, Tag.TERMS, payload, agreement.maker_signature)
        assert is_signed(agreement.terms.taker, Tag.TERMS, payload, agreement.taker_signature)
        # A reorganisation of less than the depth can't put a lock below where we look.
        assert agreement.since_i == stage.btc.height - 2 - 12
        assert agreement.since_p == stage.ltc.height - 3 - 12
    for party, agreement in ((taker, ours), (maker, theirs)):
        signer, salt, swap = party.world.signer, agreement.salt, agreement.swap_id
        assert signer.htlc_key(salt, agreement.role, swap, LegName.I) in {
            agreement.terms.leg_i.claim_key,
            agreement.terms.leg_i.refund_key,
        }
        assert party.world.chains[agreement.theirs.amount.asset].check_address(
            agreement.destination
        )
        assert party.world.chains[agreement.own.amount.asset].check_address(
            agreement.refund_destination
        )
    assert taker.world.signer.hashlock(ours.salt, ours.swap_id) == ours.terms.hashlock
    assert (ours.peer_id, theirs.peer_id) == ("maker", "taker")
    assert ours.salt != theirs.salt


async def test_the_taker_is_paid_where_it_asks_to_be() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    mine = await taker.ltc.wallet_address()
    async with serving(maker):
        agreement = await take(taker, signed, 4 * COIN, destination=mine)
    assert agreement.destination == mine


async def test_salt_before_hashlock_and_journal_before_signature() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    seen = []

    def tap(_from: str, _to: str, data: bytes) -> bytes:
        message = read(data)
        seen.append(type(message))
        salts = [key for key in taker.store.disk.values if key[0] == SALT_SPACE]
        if isinstance(message, SignedTake):
            assert not salts
        if isinstance(message, Propose):
            assert salts
            assert not maker.store.disk.journal
        if isinstance(message, Accept):
            assert message.swap_id in maker.store.disk.journal
            assert not taker.store.disk.journal
        return data

    stage.network.tap = tap
    async with serving(maker):
        agreement = await take(taker, signed, 4 * COIN)
    assert Accept in seen
    assert agreement.swap_id in taker.store.disk.journal


async def test_every_take_has_a_key_a_salt_a_hashlock_and_addresses_of_its_own() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    async with serving(maker):
        one = await take(taker, signed, 2 * COIN)
        two = await take(taker, signed, 2 * COIN)
    for field in ("salt", "destination", "refund_destination"):
        assert getattr(one, field) != getattr(two, field)
    for field in ("swap_id", "taker", "hashlock"):
        assert getattr(one.terms, field) != getattr(two.terms, field)


async def test_a_lost_acceptance_costs_nothing_and_the_taker_can_take_again() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)

    def lose_acceptances(_from: str, _to: str, data: bytes) -> bytes | None:
        return None if isinstance(read(data), Accept) else data

    stage.network.tap = lose_acceptances
    async with serving(maker):
        with pytest.raises(MakerSilent):
            await take(taker, signed, 4 * COIN)
        assert taker.is_idle()
        # The maker is bound by its journal: its swap lapses by itself, nobody locked.
        assert len(maker.swaps.agreements) == 1
        stage.network.tap = lambda _from, _to, data: data
        agreement = await take(taker, signed, 4 * COIN)
    assert agreement.swap_id != maker.swaps.agreements[0].swap_id
    assert agreement.swap_id == maker.swaps.agreements[1].swap_id


async def test_of_two_takers_of_the_last_of_an_offer_exactly_one_is_accepted() -> None:
    stage = Stage()
    maker = stage.party("maker")
    takers = [stage.party("one"), stage.party("two")]
    signed = await post(maker, maximum=5 * COIN)
    outcomes = await race(maker, takers, [signed, signed], 4 * COIN)
    assert sorted(outcomes) == ["accepted", Refusal.AMOUNT_TAKEN.value]
    assert maker.offers.remaining(offer_id(signed)) == 1 * COIN


async def test_of_two_takers_of_the_same_coins_by_two_offers_exactly_one_is_accepted() -> None:
    stage = Stage()
    maker = stage.party("maker")  # 10 LTC, of which each offer sells 8
    takers = [stage.party("one"), stage.party("two")]
    offers = [await post(maker, sequence=1), await post(maker, sequence=2)]
    outcomes = await race(maker, takers, offers, 8 * COIN)
    assert sorted(outcomes) == ["accepted", Refusal.INSUFFICIENT_FUNDS.value]
    left = sorted(maker.offers.remaining(offer_id(signed)) for signed in offers)
    assert left == [2 * COIN, 10 * COIN]


async def race(maker: Party, takers: list[Party], offers: list[Signed], units: int) -> list[str]:
    """Both take at once; nothing is sent to any chain, and a loser holds nothing."""
    outcomes: dict[str, TakeRefused | None] = {}

    async def one(party: Party, signed: Signed) -> None:
        try:
            await take(party, signed, units)
            outcomes[party.name] = None
        except TakeRefused as refused:
            outcomes[party.name] = refused

    async with serving(maker), trio.open_nursery() as nursery:
        for party, signed in zip(takers, offers, strict=True):
            nursery.start_soon(one, party, signed)
    for party in takers:
        refused = outcomes[party.name]
        assert party.is_idle() == (refused is not None)
        assert refused is None or refused.by_maker
    assert len(maker.swaps.agreements) == 1
    assert sum(party.broadcasts for party in (maker, *takers)) == 0
    return ["accepted" if no is None else no.refusal.value for no in outcomes.values()]


async def test_two_takes_at_once_of_coins_enough_for_both_are_both_accepted() -> None:
    stage = Stage()
    maker = stage.party("maker", coins=2)
    takers = [stage.party("one"), stage.party("two")]
    signed = await post(maker)
    async with serving(maker), trio.open_nursery() as nursery:
        for party in takers:
            nursery.start_soon(take, party, signed, 4 * COIN)
    assert len(maker.swaps.agreements) == 2
    assert maker.offers.remaining(offer_id(signed)) == 2 * COIN


async def test_after_a_restart_agreed_swaps_hold_their_coins_again_until_their_lock() -> None:
    stage = Stage()
    maker, taker = stage.party("maker"), stage.party("taker")
    signed = await post(maker)
    async with serving(maker):
        await take(taker, signed, 4 * COIN)
    reborn = type(maker.ledger)()
    reborn.adopt(maker.swaps.open())
    reborn.adopt(maker.swaps.open())
    assert reborn.held(LTC) == 4 * COIN
    assert reborn.held_of_offer(offer_id(signed)) == 4 * COIN
    assert reborn.negotiating() == []
    (state,) = maker.swaps.open()
    reborn.follow(state, 1)
    assert reborn.held(LTC) == 4 * COIN
    reborn.follow(replace(state, own=Dead()), 2)
    assert reborn.held(LTC) == 0
