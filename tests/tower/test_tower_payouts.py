"""What a tower's claim or refund brought is found, although its txid is in no journal."""

from protocol.swap.states import End, Outcome
from protocol.terms import LegName, Role
from swapd.engine.operations.wallet import _payout_refs
from tests.protocol.tower import samples

ENDED = Outcome(End.COMPLETED, "", 0)


def test_a_claim_that_a_tower_sent_is_among_the_payouts() -> None:
    spent = samples.lock(LegName.I, spend=samples.claimed(9, txid="ab" * 32))
    state = samples.state(Role.PARTICIPANT, view_i=samples.view(LegName.I, spent), outcome=ENDED)
    assert state.claim is None
    asset = state.agreement.theirs.amount.asset
    assert _payout_refs(state, asset) == {f"{'ab' * 32}:0"}


def test_a_refund_that_a_tower_sent_is_among_the_payouts() -> None:
    spent = samples.lock(LegName.P, spend=samples.refunded(9, txid="cd" * 32))
    state = samples.state(Role.PARTICIPANT, view_p=samples.view(LegName.P, spent), outcome=ENDED)
    assert state.refunds == ()
    assert _payout_refs(state, state.agreement.own.amount.asset) == {f"{'cd' * 32}:0"}
