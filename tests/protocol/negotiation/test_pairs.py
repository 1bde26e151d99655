"""Takes of every ordered pair of chains: who is named how, and what is refused on the way."""

import hashlib
import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.amounts import Price, Units
from protocol.assets import AssetId, chain_of
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.evm.legs import contract_of, token_of
from protocol.kinds import kind_of
from protocol.negotiation import maker, taker
from protocol.negotiation.checks import Side
from protocol.negotiation.terms import TakerPart
from protocol.offers import Offer
from protocol.signing import Tag, public_key
from protocol.terms import Kind, Pace, PinnedBlock, Terms, Timing
from tests.protocol.negotiation import scene
from tests.protocol.negotiation.scene import BTC, LTC, MAKER_SECRET, NOW, TAKER_SECRET

ETH = AssetId("eip155:31337/slip44:60")
USDC = AssetId("eip155:31337/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3")
OTHER_ETH = AssetId("eip155:31338/slip44:60")
UNITS = {BTC: 5_000_000, LTC: 400_000_000, ETH: 10**18, USDC: 3_000_000, OTHER_ETH: 2 * 10**18}
PAIRS = tuple(itertools.permutations(UNITS, 2))
LOCKS = {"maker": bytes.fromhex("a1" * 20), "taker": bytes.fromhex("b1" * 20)}
CLAIMS = {"maker": bytes.fromhex("a2" * 20), "taker": bytes.fromhex("b2" * 20)}
DEV = Pace(10)


def pinned(asset: AssetId) -> PinnedBlock:
    return PinnedBlock(300, hashlib.sha256(chain_of(asset).encode()).digest())


def offer_of(sell: AssetId, buy: AssetId, **changes: Any) -> Offer:
    kinds = tuple(dict.fromkeys(kind_of(chain_of(asset)).value for asset in (sell, buy)))
    offer = replace(
        scene.OFFER,
        sell=sell,
        buy=buy,
        price=Price.of(UNITS[buy], UNITS[sell]),
        minimum=Units(1),
        maximum=Units(10 * UNITS[sell]),
        kinds=kinds,
    )
    return replace(offer, **changes)


def side_of(sell: AssetId, buy: AssetId, **changes: Any) -> Side:
    side = replace(
        scene.SIDE,
        pinned_i=pinned(buy),
        pinned_p=pinned(sell),
        stress_fee_rate_i=1000,
        stress_fee_rate_p=1000,
    )
    return replace(side, **changes)


def claimer(who: str, leg: str, asset: AssetId) -> bytes:
    is_key = kind_of(chain_of(asset)) is Kind.P2WSH
    return scene.point(f"{who} claims {leg}") if is_key else CLAIMS[who]


def locker(who: str, leg: str, asset: AssetId) -> bytes:
    is_key = kind_of(chain_of(asset)) is Kind.P2WSH
    return scene.point(f"{who} refunds {leg}") if is_key else LOCKS[who] + b"\x07"


class Take:
    """One negotiation between honest parties."""

    def __init__(self, sell: AssetId, buy: AssetId, **sides: Side) -> None:
        self.sell, self.buy = sell, buy
        self.offer = offer_of(sell, buy)
        self.offer_id = bytes(32)
        self.takers = sides.get("taker", side_of(sell, buy))
        self.makers = sides.get("maker", side_of(sell, buy))

    def granted(self, **changes: Any) -> tuple[taker.Asking, maker.Granted]:
        draft = taker.ask(
            self.offer,
            self.offer_id,
            UNITS[self.sell],
            side=self.takers,
            taker=public_key(TAKER_SECRET),
            nonce=bytes(32),
            now=NOW,
        )
        draft = replace(draft, take=replace(draft.take, **changes))
        asking, data = taker.asking(draft, scene.signed(TAKER_SECRET, Tag.TAKE, encode(draft.take)))
        asked = maker.receive(maker.Listening(), data, now=NOW)
        assert isinstance(asked, maker.Asked)
        granted = maker.grant(
            asked,
            offer=self.offer,
            offer_id=self.offer_id,
            remaining=10 * UNITS[self.sell],
            side=self.makers,
            now=NOW,
        )
        return asking, granted

    def agreed(self, *, parties: dict[str, bytes] | None = None, **changes: Any) -> Terms:
        """The terms both sign; `parties` replaces who stands in the reserve answer or proposal,
        `changes` fields of the reserve answer."""
        given = {
            "claim_key_i": claimer("maker", "i", self.buy),
            "refund_key_p": locker("maker", "p", self.sell),
            "claim_key_p": claimer("taker", "p", self.sell),
            "refund_key_i": locker("taker", "i", self.buy),
        } | (parties or {})
        asking, granted = self.granted()
        answer = maker.draft_reserve(
            granted,
            claim_key_i=given["claim_key_i"],
            refund_key_p=given["refund_key_p"],
            proof=scene.PROOF,
            now=NOW,
        )
        answer = replace(answer, **changes)
        reserved, data = maker.reserve(
            granted, answer, scene.signed(MAKER_SECRET, Tag.RESERVE, encode(answer))
        )
        offered = taker.receive(asking, data, now=NOW)
        assert isinstance(offered, taker.Offered)
        part = TakerPart(given["claim_key_p"], given["refund_key_i"], scene.HASHLOCK, NOW)
        terms = taker.draft_terms(offered, part)
        signature = scene.signed(TAKER_SECRET, Tag.TERMS, encode(terms))
        _, data = taker.propose(terms, signature, now=NOW)
        proposed = maker.receive(reserved, data, now=NOW)
        assert isinstance(proposed, maker.Proposed)
        assert proposed.terms == terms
        return terms


def refusal(take: Take, **given: Any) -> Refusal:
    with pytest.raises(RemoteProtocolError) as caught:
        take.agreed(**given)
    return caught.value.refusal


@pytest.mark.parametrize(("sell", "buy"), PAIRS)
def test_every_ordered_pair_of_chains_comes_to_terms(sell: AssetId, buy: AssetId) -> None:
    terms = Take(sell, buy).agreed()
    for leg, asset in ((terms.leg_i, buy), (terms.leg_p, sell)):
        is_key = chain_of(asset).startswith("bip122")
        assert leg.amount.asset == asset
        assert leg.kind is (Kind.P2WSH if is_key else Kind.EVM)
        assert leg.pace == (None if is_key else DEV)
        assert (len(leg.claim_key), len(leg.refund_key)) == ((33, 33) if is_key else (20, 21))
    assert terms.leg_p.expiry < terms.leg_i.expiry


def test_one_party_may_claim_and_lock_with_one_account_on_one_chain() -> None:
    account = bytes.fromhex("c1" * 20)
    parties = {"claim_key_i": account, "refund_key_p": account + b"\x00"}
    assert Take(ETH, USDC).agreed(parties=parties).leg_i.claim_key == account


ACCOUNT = bytes.fromhex("d1" * 20)
STRANGE = {
    "a claimer who is the locker of the leg": {"claim_key_p": LOCKS["maker"]},
    "the same with leg I": {"refund_key_i": CLAIMS["maker"] + b"\x01"},
    "one claimer for both legs": {"claim_key_p": CLAIMS["maker"]},
    "one locker for both legs": {"refund_key_i": LOCKS["maker"] + b"\x01"},
    "the account of nobody": {"claim_key_i": bytes(20)},
    "a contract that is built in": {"claim_key_p": bytes(18) + b"\xff\xff"},
    "a locker without a slot": {"refund_key_p": ACCOUNT},
    "a slot that is cleared": {"refund_key_p": ACCOUNT + b"\x80"},
    "a claimer with a slot": {"claim_key_i": ACCOUNT + b"\x00"},
    "a key for an account": {"refund_key_i": scene.point("somebody")},
}


@pytest.mark.parametrize("what", STRANGE)
def test_parties_that_could_not_hold_the_swap_are_refused(what: str) -> None:
    assert refusal(Take(ETH, USDC), parties=STRANGE[what]) is Refusal.WRONG_KEY


@pytest.mark.parametrize("sell", [ETH, USDC])
def test_nobody_is_paid_by_burning_coins_in_the_token_or_the_contract(sell: AssetId) -> None:
    token = token_of(sell)
    for account in filter(None, (token, contract_of(token))):
        parties = {"claim_key_p": account}
        assert refusal(Take(sell, BTC), parties=parties) is Refusal.WRONG_KEY
        parties = {"claim_key_i": account}
        assert refusal(Take(BTC, sell), parties=parties) is Refusal.WRONG_KEY


def test_a_token_that_is_named_in_two_ways_is_not_swapped() -> None:
    lower = AssetId(USDC.lower())
    UNITS[lower] = UNITS[USDC]
    try:
        assert refusal(Take(lower, BTC)) is Refusal.MALFORMED
    finally:
        del UNITS[lower]


def test_the_slowest_that_either_party_says_of_a_chain_is_agreed() -> None:
    slow, early = Pace(20, 0, 0, 60), Pace(10, 0, 15, 0)
    take = Take(
        ETH, BTC, taker=side_of(ETH, BTC, pace_p=slow), maker=side_of(ETH, BTC, pace_p=early)
    )
    terms, usual = take.agreed(), Take(ETH, BTC).agreed()
    assert terms.leg_p.pace == Pace(20, 0, 15, 60)
    assert terms.leg_i.pace is None
    assert terms.leg_p.expiry > usual.leg_p.expiry
    assert terms.leg_i.expiry > usual.leg_i.expiry


@pytest.mark.parametrize("pace", [DEV, Pace(20, 0, 0, 59), Pace(19, 0, 0, 60), None])
def test_a_maker_who_makes_a_chain_faster_than_the_taker_says_gets_no_terms(
    pace: Pace | None,
) -> None:
    take = Take(ETH, BTC, taker=side_of(ETH, BTC, pace_p=Pace(20, 0, 0, 60)))
    assert refusal(take, pace_p=pace) is Refusal.WRONG_TERMS


def test_a_take_that_states_no_pace_of_a_chain_that_needs_one_is_refused() -> None:
    for change in ({"pace_p": None}, {"pace_i": DEV}, {"pace_p": Pace(9)}):
        with pytest.raises(RemoteProtocolError) as caught:
            Take(ETH, BTC).granted(**change)
        assert caught.value.refusal is Refusal.WRONG_TERMS


def test_a_chain_behind_a_sequencer_is_not_taken_from_before_it_is_described() -> None:
    sell, buy = AssetId("eip155:8453/slip44:60"), AssetId("eip155:1/slip44:60")
    offer = replace(offer_of(ETH, OTHER_ETH), sell=sell, buy=buy, timing=Timing.STANDARD)
    offer = replace(offer, depth_sell=32, depth_buy=32)
    side = replace(side_of(ETH, OTHER_ETH), timing=Timing.STANDARD)

    def ask(side: Side) -> taker.Draft:
        return taker.ask(
            *(offer, bytes(32), 10**18),
            side=side,
            taker=public_key(TAKER_SECRET),
            nonce=bytes(32),
            now=NOW,
        )

    with pytest.raises(RemoteProtocolError, match="how early its clock may run"):
        ask(side)
    described = Pace(2, 1800, 60, 7200)
    assert ask(replace(side, pace_p=described)).take.pace_p == described


@pytest.mark.parametrize(("kinds", "good"), [(("evm", "p2wsh"), True), (("p2wsh",), False)])
def test_the_kind_of_each_leg_is_accepted_by_the_offer(kinds: tuple[str, ...], good: bool) -> None:
    take = Take(ETH, BTC)
    take.offer = replace(take.offer, kinds=kinds)
    if good:
        assert take.agreed().leg_p.kind is Kind.EVM
    else:
        assert refusal(take) is Refusal.UNSUPPORTED_KIND


def test_an_amount_that_no_lock_can_hold_is_refused() -> None:
    take = Take(ETH, BTC)
    take.offer = replace(take.offer, price=Price.of(1, 2**70), maximum=Units(2**97))
    UNITS[ETH] = 2**96
    try:
        assert refusal(take) is Refusal.AMOUNT_OUT_OF_RANGE
        UNITS[ETH] = 2**96 - 1
        assert take.agreed().leg_p.amount.units == 2**96 - 1
    finally:
        UNITS[ETH] = 10**18
