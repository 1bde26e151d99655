"""A leg whose fees an account pays, whose lock is an entry, and whose clock may run early."""

import msgspec
import pytest

from protocol.amounts import Amount, Units
from protocol.assets import AssetId
from protocol.kinds import sizes_of
from protocol.swap import deadlines, fees, reading
from protocol.swap.effects import BroadcastLock, BuildKill, BuildLock
from protocol.swap.events import LockBuilt, Observed
from protocol.swap.facts import Conflict, LockSeen
from protocol.swap.fees import Curve
from protocol.swap.machine import step
from protocol.swap.pending import pending
from protocol.swap.states import Dead, Held, Killing, LockCoin, Released, SignedLock, SwapState, Tx
from protocol.terms import Kind, Pace, Role
from tests.protocol.swap.moments import MAKER, TAKER, begun, view
from tests.protocol.swap.toy import T0

ETH = AssetId("eip155:31337/slip44:60")
USDC = AssetId("eip155:31337/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3")
UNITS, GWEI = 10**18, 10**12
"""A fee rate is for 1000 units of gas."""

NONCE = LockCoin("account:7", 0, b"")
ENTRY = "contract:slot:value"


def on_accounts(role: Role, asset: AssetId = ETH, pace: Pace | None = None) -> SwapState:
    """A swap just agreed, our leg on a chain with accounts."""
    state = begun(role)
    own = msgspec.structs.replace(
        state.agreement.own,
        kind=Kind.EVM,
        amount=Amount(asset, Units(UNITS)),
        claim_key=b"\x01" * 20,
        refund_key=b"\x02" * 20 + b"\x00",
        pace=pace or Pace(10),
    )
    name = "leg_i" if role is TAKER else "leg_p"
    terms = msgspec.structs.replace(state.agreement.terms, **{name: own})
    agreement = msgspec.structs.replace(state.agreement, terms=terms)
    return msgspec.structs.replace(state, agreement=agreement)


def version(txid: str, rate: int, height: int = 1000) -> SignedLock:
    gas = sizes_of(ETH).lock
    tx = Tx(txid.encode(), txid, rate * gas // 1000, rate, height, ENTRY)
    return SignedLock(tx, (NONCE,))


def entry(depth: int, txid: str = "") -> LockSeen:
    return LockSeen(ENTRY, UNITS, depth, txid=txid)


SEEN = view(fee_next=10 * GWEI, fee_floor=GWEI, fee_increment=GWEI, fee_budget=10**17)


def look(state: SwapState, seconds: int, **own: object) -> SwapState:
    """The state after a look at our chain, `seconds` after the agreement."""
    ours = msgspec.structs.replace(SEEN, **own)
    both = (ours, view()) if state.agreement.role is TAKER else (view(), ours)
    return step(state, Observed(T0 + seconds, *both))


def test_the_account_is_the_limit_of_a_fee_and_the_leg_is_where_they_can_be_compared() -> None:
    leg, token = on_accounts(TAKER).agreement.own, on_accounts(TAKER, USDC).agreement.own
    rich, poor = (msgspec.structs.replace(SEEN, fee_budget=b) for b in (10**20, 10**17))
    assert deadlines.purse(rich, leg) == UNITS
    assert deadlines.purse(poor, leg) == 10**17
    assert deadlines.purse(rich, token) == 10**20
    assert fees.affordable_rate(poor, 10**30, 50_000) == 10**17 * 1000 // 50_000
    state = on_accounts(TAKER)
    lock = entry(1)
    size = sizes_of(ETH).refund
    assert deadlines.refund_curve(state, poor, lock).cap <= 10**17 * 1000 // size
    state = on_accounts(MAKER)
    assert deadlines.refund_curve(state, rich, lock).cap <= UNITS * 1000 // size
    assert deadlines.kill_curve(state, poor, version("a", GWEI)).cap == 10**17 * 1000 // 21_000


@pytest.mark.parametrize(
    ("budget", "builds"), [(136_000 * 10**10, True), (135_999 * 10**10, False)]
)
def test_no_lock_is_signed_that_the_account_could_not_take_back(budget: int, builds: bool) -> None:
    # A lock of 50 000, a refund of 65 000 and a kill of 21 000 gas, at 10 gwei each.
    state = look(on_accounts(TAKER), 1, fee_budget=budget)
    assert [type(effect) for effect in pending(state)] == ([BuildLock] if builds else [])


def test_a_replacement_pays_the_tenth_more_that_nodes_ask_for() -> None:
    old = version("a", 20 * GWEI).tx
    tenth = msgspec.structs.replace(SEEN, fee_step_percent=10)
    assert fees.least_replacing(SEEN, old) == 21 * GWEI
    assert fees.least_replacing(tenth, old) == 22 * GWEI
    curve = Curve(0, 100, 10**6 * GWEI)
    assert fees.next_rate(tenth, old, curve, 0) == 22 * GWEI
    assert fees.is_worth(22 * GWEI, tenth, old, seen=True)
    assert not fees.is_worth(22 * GWEI - 1, tenth, old, seen=True)


def test_a_version_is_given_the_blocks_that_its_chain_grants() -> None:
    old = version("a", 20 * GWEI, height=1000).tx
    for patience, tips in ((1, (1001,)), (4, (1004, 1005))):
        slow = msgspec.structs.replace(SEEN, patience=patience)
        for height in range(1000, 1006):
            now = msgspec.structs.replace(slow, tip_height=height)
            assert fees.is_due(now, old, seen=True) == (height >= tips[0])


def test_versions_of_a_lock_are_one_entry_and_told_apart_by_their_transactions() -> None:
    state = look(step(on_accounts(TAKER), LockBuilt(version("a", 10 * GWEI))), 1)
    assert isinstance(state.own, Released)
    newer = step(state, LockBuilt(version("b", 20 * GWEI)))
    assert isinstance(newer.own, Released)
    assert newer.own.lock.tx.txid == "b"
    assert newer.own.lock.refs == (ENTRY,)
    assert step(newer, LockBuilt(version("a", 10 * GWEI))) == newer, "that was replaced"
    other = msgspec.structs.replace(version("c", 30 * GWEI), coins=(LockCoin("account:8", 0, b""),))
    assert step(newer, LockBuilt(other)) == newer, "another nonce: both could confirm"
    assert step(state, LockBuilt(version("a", 10 * GWEI))) == state


def test_a_dearer_version_is_sent_while_the_older_one_waits() -> None:
    state = look(step(on_accounts(TAKER), LockBuilt(version("a", 10 * GWEI))), 1)
    state = step(state, LockBuilt(version("b", 20 * GWEI)))
    for shown, sent in (("a", True), ("b", False)):
        now = look(state, 2, locks=(entry(0, shown),))
        assert (BroadcastLock(b"b", "b") in pending(now)) is sent


def test_a_lock_whose_deadline_passed_is_dead_when_that_is_final() -> None:
    state = look(step(on_accounts(TAKER), LockBuilt(version("a", 10 * GWEI))), 1)
    late = look(state, 41, conflict=Conflict("", 1))
    assert isinstance(late.own, Killing)
    assert pending(late) == (), "nothing has to be killed"
    final = look(late, 60, conflict=Conflict("", 2))
    assert isinstance(final.own, Dead)


def test_a_lock_that_hangs_is_killed_at_a_dearer_price_of_its_nonce() -> None:
    state = look(step(on_accounts(TAKER), LockBuilt(version("a", 10 * GWEI))), 1)
    late = look(state, 41, locks=(entry(0, "a"),), fee_step_percent=10)
    [kill] = pending(late)
    assert isinstance(kill, BuildKill)
    assert kill.fee_rate >= 11 * GWEI


def test_a_clock_that_may_run_early_proves_so_much_less() -> None:
    early = Pace(10, early=300)
    told = look(on_accounts(TAKER, pace=early), 5, median_time=T0 + 290)
    assert told.now == T0 + 5
    assert look(on_accounts(TAKER, pace=early), 5, median_time=T0 + 320).now == T0 + 20
    assert look(on_accounts(TAKER), 5, median_time=T0 + 290).now == T0 + 290
    held = step(on_accounts(TAKER, pace=early), LockBuilt(version("a", 10 * GWEI)))
    assert isinstance(look(held, 5, problems=("x",)).own, Held)


def test_an_entry_tells_its_transaction_only_where_the_chain_does() -> None:
    assert reading.txid_of(entry(1)) == ""
    assert reading.txid_of(entry(1, "t")) == "t"
    assert reading.txid_of(LockSeen("txid:0", 1, 1)) == "txid"


def test_a_lock_that_only_blocks_show_is_waited_for_some_blocks_longer() -> None:
    # The maker's own leg stays on litecoin; the taker locks on a chain with a block per 10 s.
    state = begun(MAKER)
    theirs = msgspec.structs.replace(
        state.agreement.theirs,
        kind=Kind.EVM,
        amount=Amount(ETH, Units(UNITS)),
        claim_key=b"\x01" * 20,
        refund_key=b"\x02" * 20 + b"\x00",
        pace=Pace(10),
    )
    terms = msgspec.structs.replace(state.agreement.terms, leg_i=theirs)
    agreement = msgspec.structs.replace(state.agreement, terms=terms)
    state = msgspec.structs.replace(state, agreement=agreement)
    assert reading.seen_within(theirs) == 60 + 5 * 10
    assert reading.seen_within(state.agreement.own) == 60
    gate = reading.lock_gate(state) - T0
    for seconds, dead in ((59, False), (min(109, gate - 1), False), (110, True)):
        found = step(state, Observed(T0 + seconds, SEEN, view()))
        assert isinstance(found.own, Dead) is dead, seconds
