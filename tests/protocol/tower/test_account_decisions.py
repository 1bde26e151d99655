"""When a tower sends a claim or refund from its own account, for which fee and at which price."""

import msgspec

from protocol.evm import calls
from protocol.evm.legs import contract_of, slot_terms_of
from protocol.evm.relaying import Fee, claim_with_fee
from protocol.swap.facts import Spend, SpendKind
from protocol.tower.decide import decide
from protocol.tower.package import Act, Package
from protocol.tower.progress import PATIENCE_BLOCKS, Decision, Order, Progress, built
from tests.protocol.tower.account_samples import (
    EXPIRY,
    GWEI,
    HASHLOCK,
    NOW,
    PREIMAGE,
    REF,
    TOWER,
    USDC,
    claimed,
    package,
    view,
)

replace = msgspec.structs.replace
ASKED = 20 * GWEI * 1000
GAS = 95_000
"""Of a claim of the chain's own coin with a fee: what is budgeted."""


def look(
    made: Package,
    progress: Progress | None = None,
    *,
    now: int = NOW,
    allowance: int = 0,
    grace: int = 0,
    **shown: object,
) -> Decision:
    seen = view(**({"median_time": now} | shown))  # type: ignore[arg-type] # of many types
    before = progress or Progress()
    return decide(made, before, seen, None, now, grace=grace, allowance=allowance)


def sent(decision: Decision, txid: str = "ab" * 32) -> Progress:
    """What is remembered after it has left."""
    return built(decision, txid, b"raw").progress


def order(decision: Decision) -> Order:
    assert decision.order is not None
    return decision.order


def test_nothing_is_sent_while_nobody_knows_the_preimage() -> None:
    assert look(package()).order is None
    assert look(package()).progress.due_since == 0


def test_a_claim_carries_the_preimage_and_the_fee_to_the_contract_of_the_leg() -> None:
    made = package(preimage=PREIMAGE)
    found = order(look(made))
    fee = made.fees[0]
    terms = slot_terms_of(made.watched.leg, HASHLOCK)
    wanted = claim_with_fee(terms, PREIMAGE, Fee(fee.fee, TOWER, 0), fee.signature)
    assert found == Order("claim", REF, contract_of(None), wanted, ASKED)


def test_a_preimage_shown_on_either_leg_is_used_and_kept() -> None:
    other = view(claimed(depth=1))
    made = package()
    decision = decide(made, Progress(), view(), other, NOW, grace=0)
    assert decision.order is not None
    assert decision.progress.preimage == PREIMAGE
    again = look(made, replace(sent(decision), txid="", sent=-1, rate=0))
    assert again.order is not None


def test_the_client_has_its_time_and_its_own_spend_is_waited_for() -> None:
    made = package(preimage=PREIMAGE)
    first = look(made, grace=20)
    assert (first.order, first.progress.due_since) == (None, NOW)
    assert look(made, first.progress, now=NOW + 19, grace=20).order is None
    assert look(made, first.progress, now=NOW + 20, grace=20).order is not None
    waits = look(made, first.progress, now=NOW + 30, grace=20, spend=claimed())
    assert waits.order is None
    last = 1000 + PATIENCE_BLOCKS
    assert look(made, waits.progress, now=NOW + 30, spend=claimed(), height=last - 1).order is None
    assert look(made, waits.progress, now=NOW + 30, spend=claimed(), height=last).order is not None


def test_a_refund_is_sent_after_the_expiry_and_lets_a_claim_go_first() -> None:
    made = package(Act.REFUND, fees=(), yield_until=EXPIRY + 500)
    for now in (EXPIRY - 1, EXPIRY):
        assert look(made, now=now, allowance=10**18).order is None
    found = order(look(made, now=EXPIRY + 1, allowance=10**18))
    assert found.data == calls.refund(slot_terms_of(made.watched.leg, HASHLOCK))
    for now, sends in ((EXPIRY + 499, False), (EXPIRY + 500, True)):
        decision = look(made, now=now, allowance=10**18, spend=claimed())
        assert (decision.order is not None) is sends


def test_the_cheapest_fee_that_covers_the_gas_is_taken_and_none_that_is_not_of_age() -> None:
    made = package(preimage=PREIMAGE, fees=((10**14, 0), (3 * 10**15, 0), (10**17, NOW + 500)))
    assert look(made).progress.sent == 1  # 95,000 gas at 20 gwei are 1.9 * 10**15
    dear = look(made, fee_next=10 * ASKED, fee_floor=1)
    assert dear.progress.sent == 1
    assert order(dear).rate * GAS // 1000 <= 3 * 10**15, "no more gas than the fee pays"
    later = look(made, now=NOW + 500, fee_next=10 * ASKED, fee_floor=1)
    assert later.progress.sent == 2


def test_a_stranger_whose_fee_does_not_pay_for_a_place_in_a_block_waits() -> None:
    made = package(preimage=PREIMAGE, fees=((10**14, 0),))
    assert look(made).order is None
    assert look(made, allowance=10**16).order is not None


def test_without_a_fee_it_is_the_towers_gift_and_no_larger() -> None:
    made = package(preimage=PREIMAGE, fees=())
    assert look(made).order is None
    found = order(look(made, allowance=10**16))
    assert found.data == calls.claim_for(slot_terms_of(made.watched.leg, HASHLOCK), PREIMAGE)
    assert look(made, allowance=10**14).order is None


def test_the_account_is_the_limit_of_what_it_pays() -> None:
    made = package(preimage=PREIMAGE)
    assert look(made, fee_budget=10**14).order is None
    assert order(look(made, fee_budget=10**16)).rate * GAS // 1000 <= 10**16


def test_after_its_blocks_it_is_sent_again_on_the_same_lock_and_dearer() -> None:
    made = package(preimage=PREIMAGE)
    before = sent(look(made))
    ours = claimed("ab" * 32)
    assert look(made, before, spend=ours, height=1003).order is None
    again = order(look(made, before, spend=ours, height=1004))
    assert again.rate * 100 >= ASKED * 113
    assert again.ref == REF


def test_one_that_no_node_has_any_more_is_sent_again_with_the_next_block() -> None:
    made = package(preimage=PREIMAGE)
    before = sent(look(made))
    assert look(made, before).order is None
    assert look(made, before, height=1001).order is not None


def test_a_fee_in_a_token_begins_with_the_cheapest_and_goes_one_up_each_time() -> None:
    made = package(preimage=PREIMAGE, asset=USDC)
    before = sent(look(made, allowance=10**18))
    assert before.sent == 0
    after = sent(look(made, before, allowance=10**18, height=1004))
    assert after.sent == 1
    last = sent(look(made, after, allowance=10**18, height=1008))
    assert last.sent == 1, "the third is not of age"


def test_the_rate_rises_towards_the_expiry() -> None:
    made = package(preimage=PREIMAGE)
    due = replace(Progress(preimage=PREIMAGE), due_since=NOW)
    rates = [
        order(look(made, due, now=now, allowance=10**18)).rate
        for now in (NOW, NOW + 20_000, EXPIRY - 100)
    ]
    assert rates == sorted(set(rates))


def test_a_spend_in_a_block_ends_it_and_one_that_is_deep_for_good() -> None:
    made = package(preimage=PREIMAGE)
    before = sent(look(made))
    one = look(made, before, spend=claimed(depth=1))
    assert (one.order, one.progress.final, one.progress.due_since) == (None, False, 0)
    refunded = Spend(SpendKind.REFUND, "dd" * 32, 2)
    assert look(made, before, spend=refunded).progress.final


def test_the_other_sides_lock_is_sent_again_where_a_reorganisation_took_it_out() -> None:
    seen = view()
    seen = replace(seen, locks=(replace(seen.locks[0], raw=b"its lock"),))
    for made in (package(preimage=PREIMAGE), package()):
        before = decide(made, Progress(), seen, None, NOW, grace=0).progress
        assert before.lock_raw == b"its lock"
        gone = decide(made, before, replace(seen, locks=()), None, NOW, grace=0)
        assert gone.send == ((b"its lock",) if made.preimage else ())
    refund = package(Act.REFUND)
    before = decide(refund, Progress(), seen, None, NOW, grace=0).progress
    assert before.lock_raw == b""


def test_a_lock_of_another_amount_is_none() -> None:
    made = package(preimage=PREIMAGE)
    seen = view()
    wrong = replace(seen, locks=(replace(seen.locks[0], units=1),))
    assert decide(made, Progress(), wrong, None, NOW, grace=0).order is None
