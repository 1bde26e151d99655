"""The account chain of the simulation: nonces, calls that come to nothing, and who is paid."""

import hashlib

import pytest

from tests.simulation.accounts.ledger import (
    AccountLedger,
    ClaimCall,
    LockCall,
    RefundCall,
    Slot,
)
from tests.simulation.checks.coins import Books
from tests.simulation.checks.tokens import leaks
from tests.simulation.ledger import SimTx
from tests.simulation.recount import recount

START, EXPIRY, UNITS, FEE = 1_000_000, 1_000_600, 500_000, 100_000
PREIMAGE = bytes(range(32))
SLOT = ("htlc", "s")
Call = LockCall | ClaimCall | RefundCall


class Bench:
    """One slot, its locker, its receiver, and somebody else; each with an account."""

    def __init__(self) -> None:
        self.chain = AccountLedger(start=START, interval=10, prefix="e", limit=None)
        terms = Slot(hashlib.sha256(PREIMAGE).digest(), UNITS, EXPIRY, "receiver", "locker")
        self.chain.slots[SLOT] = terms
        self.nonces = {who: self.chain.grant(who, 2_000_000)[0] for who in ("locker", "other")}
        self.time = self.chain.tip_time
        self.made = 0

    def send(self, who: str, call: Call | None, fee: int = FEE, ref: str = "") -> SimTx:
        """A call of `who` with its next nonce, or with `ref` again."""
        spent = ref or self.nonces[who]
        found = self.chain.output(spent)
        assert found is not None
        locks = UNITS if isinstance(call, LockCall) else 0
        kept = (who, found[1] - fee - locks)
        out = ((SLOT, locks), kept) if locks else (kept,)
        self.made += 1
        tx = SimTx(f"t{self.made}", (spent,), out, fee, 50_000, 0, call)
        assert self.chain.submit(tx) == ""
        self.nonces[who] = f"{tx.txid}:{len(out) - 1}"
        return tx

    def mine(self, seconds: int = 10) -> None:
        self.time += seconds
        block = self.chain.mine(self.time)
        for who, ref in self.nonces.items():
            # What a call did decides at which place its change is.
            txid = ref.rpartition(":")[0]
            for tx in block.txs:
                if tx.txid == txid:
                    at = max(n for n, out in enumerate(tx.outputs) if out[0] == who)
                    self.nonces[who] = f"{txid}:{at}"

    def has(self, who: str) -> int:
        return sum(paid.units for paid in self.chain.unspent(who))

    def locked(self) -> None:
        self.send("locker", LockCall(SLOT, EXPIRY - 300))
        self.mine()
        assert self.chain.live(SLOT)


@pytest.fixture(name="bench")
def make_bench() -> Bench:
    return Bench()


def test_a_lock_after_its_deadline_uses_its_nonce_and_locks_nothing(bench: Bench) -> None:
    lock = bench.send("locker", LockCall(SLOT, bench.time + 5))
    bench.mine(6)
    assert bench.chain.depth(lock.txid) == 1
    assert not bench.chain.live(SLOT)
    assert bench.has("locker") == 2_000_000 - FEE
    assert bench.chain.late_blocks(lock.raw.deadline) == 1  # type: ignore[attr-defined] # a call


def test_a_lock_in_a_block_of_its_very_deadline_stands(bench: Bench) -> None:
    bench.send("locker", LockCall(SLOT, bench.time + 6))
    bench.mine(6)
    assert bench.chain.live(SLOT)


def test_a_slot_holds_one_lock_at_a_time(bench: Bench) -> None:
    bench.locked()
    bench.send("locker", LockCall(SLOT, EXPIRY))
    bench.mine()
    assert len(bench.chain.unspent(SLOT)) == 1


def test_anybody_may_claim_and_the_receiver_is_paid(bench: Bench) -> None:
    bench.locked()
    bench.send("other", ClaimCall(SLOT, PREIMAGE))
    bench.mine()
    assert bench.has("receiver") == UNITS
    assert bench.has("other") == 2_000_000 - FEE


def test_a_refund_waits_for_a_block_after_the_expiry_and_pays_the_locker(bench: Bench) -> None:
    bench.locked()
    bench.send("other", RefundCall(SLOT))
    bench.mine(EXPIRY - bench.time)
    assert bench.chain.live(SLOT), "mined in time for nothing: the nonce is used"
    bench.send("other", RefundCall(SLOT))
    bench.mine(1)
    assert not bench.chain.live(SLOT)
    assert bench.has("locker") == 2_000_000 - FEE


def test_of_a_claim_and_a_refund_the_first_in_the_block_counts(bench: Bench) -> None:
    bench.locked()
    bench.send("other", ClaimCall(SLOT, PREIMAGE), fee=2 * FEE)
    bench.send("locker", RefundCall(SLOT))
    bench.mine(EXPIRY)
    assert bench.has("receiver") == UNITS
    assert bench.has("locker") == 2_000_000 - UNITS - 2 * FEE


@pytest.mark.parametrize("preimage", [bytes(32), PREIMAGE[:31], PREIMAGE + b"\x00"])
def test_no_other_preimage_opens_a_slot(bench: Bench, preimage: bytes) -> None:
    bench.locked()
    bench.send("other", ClaimCall(SLOT, preimage))
    bench.mine()
    assert bench.chain.live(SLOT)


def test_a_nonce_is_replaced_for_a_tenth_more_and_then_gone(bench: Bench) -> None:
    ref = bench.nonces["locker"]
    first = bench.send("locker", LockCall(SLOT, EXPIRY))
    cheap = SimTx("cheap", (ref,), (("locker", 2_000_000 - 109_999),), 109_999, 50_000)
    assert bench.chain.submit(cheap) == "replacement transaction underpriced"
    kill = SimTx("kill", (ref,), (("locker", 2_000_000 - 50_000),), 50_000, 21_000)
    assert bench.chain.submit(kill) == "", "it pays more for each unit of gas"
    assert first.txid not in bench.chain.mempool
    bench.mine()
    assert bench.chain.submit(first) == "nonce too low"


def test_what_a_reorganisation_undoes_is_decided_again(bench: Bench) -> None:
    bench.locked()
    claim = bench.send("other", ClaimCall(SLOT, PREIMAGE))
    bench.mine()
    bench.chain.undo(2)
    assert claim.txid in bench.chain.mempool
    bench.time += 1000
    bench.mine()
    assert not bench.chain.live(SLOT), "the lock came back too late"
    assert bench.has("receiver") == 0
    assert bench.has("other") == 2_000_000 - FEE


def test_coins_are_conserved_whatever_was_called(bench: Bench) -> None:
    bench.locked()
    bench.send("other", ClaimCall(SLOT, bytes(32)))
    bench.mine()
    bench.send("other", ClaimCall(SLOT, PREIMAGE))
    bench.send("locker", LockCall(SLOT, bench.time))
    bench.mine()
    counted = recount(bench.chain.blocks)
    assert counted.faults == ()
    assert counted.total == counted.issued


def test_the_nonces_of_an_account_are_mined_in_their_order() -> None:
    chain = AccountLedger(start=START, interval=10, prefix="e", limit=None)
    nonces = [chain.grant("account", 1_000_000)[0] for _ in range(3)]
    chain.order("account", nonces)

    def send(name: str, number: int, fee: int = FEE) -> SimTx:
        out = (("account", 1_000_000 - fee),)
        tx = SimTx(name, (nonces[number],), out, fee, 50_000)
        assert chain.submit(tx) == ""
        return tx

    dear, cheap = send("dear", 2, 9 * FEE), send("cheap", 1)
    block = chain.mine(chain.tip_time + 10)
    assert {tx.txid for tx in block.txs} & {"dear", "cheap"} == set()
    assert chain.held_up == 2
    send("first", 0)
    block = chain.mine(chain.tip_time + 10)
    assert [tx.txid for tx in block.txs[1:]] == ["first", cheap.txid, dear.txid]
    chain.undo(1)
    chain.evict("first")
    chain.mine(chain.tip_time + 10)
    assert chain.depth(dear.txid) == 0, "what was in order before is not any more"


def test_a_lock_that_comes_to_nothing_gives_the_token_back_and_keeps_the_gas() -> None:
    chain = AccountLedger(start=START, interval=10, prefix="e", limit=None)
    chain.slots[SLOT] = Slot(b"h" * 32, UNITS, EXPIRY, "receiver", "locker")
    token, gas = chain.grant("locker", 2 * UNITS)[0], chain.grant("gas", 1_000_000)[0]
    out = ((SLOT, UNITS), ("locker", UNITS), ("gas", 1_000_000 - FEE))
    late = LockCall(SLOT, chain.tip_time)
    assert chain.submit(SimTx("lock", (gas, token), out, FEE, 50_000, 0, late)) == ""
    chain.mine(chain.tip_time + 10)
    left = {(paid.ref, paid.units) for who in ("locker", "gas") for paid in chain.unspent(who)}
    assert left == {("lock:0", 2 * UNITS), ("lock:1", 1_000_000 - FEE)}


def test_a_token_that_pays_a_fee_is_noticed() -> None:
    def told(*outputs: tuple[str, int]) -> list[str]:
        chain = AccountLedger(start=START, interval=10, prefix="e", limit=None)
        token, gas = chain.grant("locker", UNITS)[0], chain.grant("gas", 1_000_000)[0]
        assert chain.submit(SimTx("tx", (gas, token), outputs, FEE, 50_000)) == ""
        chain.mine(chain.tip_time + 10)
        return list(leaks(Books(chain.blocks, {}, by_block_time=True), {"tx"}, {"gas"}))

    assert told(("other", UNITS), ("gas", 1_000_000 - FEE)) == []
    assert told(("other", UNITS - FEE), ("gas", 1_000_000)) != []
    assert told(("other", UNITS + 1), ("gas", 1_000_000 - FEE - 1)) != []
