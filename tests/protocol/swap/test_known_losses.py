"""What has cost users of other swap systems coins, tried on the scripts and the machine alone.

Owns: those classes of docs/known-losses.md that no other test is named after. The rules of the
chains are btclib's, the times and sizes are those of the safety rules, worked out by hand.
"""

from hashlib import sha256

import msgspec
import pytest

from protocol.bitcoin.address import hash160
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST, ChainParams
from protocol.bitcoin.spends import claim_tx
from protocol.bitcoin.tx import Transaction, TxInput, TxOutput
from protocol.swap.effects import BuildClaim, BuildKill, BuildLock, BuildRefund
from protocol.swap.facts import Spend, SpendKind
from protocol.swap.pending import pending
from protocol.swap.states import End, Hidden, Killing, Learned, Revealed, SwapState, Tx, Unknown
from protocol.terms import LegName
from tests.protocol.bitcoin.tools import EXPIRY, OUTPOINT, btclib_accepts, p2wpkh, pubkey, sign
from tests.protocol.swap.moments import MAKER, TAKER, at, begun, locked, out, released, signed, view
from tests.protocol.swap.moments import lock as lock_of
from tests.protocol.swap.toy import PREIMAGE, T0, Party, World, world

CHAINS = (BITCOIN_REGTEST, LITECOIN_REGTEST)
UNITS = 1_000_000


# --- The secret -------------------------------------------------------------------------------


def opens(params: ChainParams, secret: bytes, hashlock: bytes) -> bool:
    """Whether a lock under `hashlock` is spent by showing `secret`, whatever we would sign."""
    htlc = Htlc(pubkey("claim"), pubkey("refund"), hashlock, EXPIRY)
    claim = claim_tx(params, htlc, OUTPOINT, amount=UNITS, destination=p2wpkh("home"), fee=5_000)
    signature = sign("claim", claim.sighash) + b"\x01"
    [bare] = claim.tx.inputs
    witness = (secret, signature, htlc.witness_script())
    shown = TxInput(bare.outpoint, bare.sequence, b"", witness)
    raw = Transaction(2, (shown,), claim.tx.outputs, 0).serialise()
    return btclib_accepts(raw, TxOutput(htlc.script_pubkey(), UNITS))


@pytest.mark.parametrize("params", CHAINS, ids=lambda params: params.chain_id[-8:])
def test_a_secret_of_any_length_but_32_bytes_opens_no_lock_although_its_hash_fits(
    params: ChainParams,
) -> None:
    lengths = {
        length: opens(params, b"\x07" * length, sha256(b"\x07" * length).digest())
        for length in (0, 1, 31, 32, 33, 64, 80, 520, 521)
    }
    assert [length for length, is_open in lengths.items() if is_open] == [32]


@pytest.mark.parametrize("length", [31, 33, 80, 521])
def test_a_secret_that_could_open_one_leg_only_is_never_taken_for_the_secret(length: int) -> None:
    """The taker chose a hashlock whose secret only his own leg's chain would accept."""
    secret = b"\x07" * length
    state = locked(MAKER)
    terms = msgspec.structs.replace(state.agreement.terms, hashlock=sha256(secret).digest())
    agreement = msgspec.structs.replace(state.agreement, terms=terms)
    state = msgspec.structs.replace(state, agreement=agreement)
    shown = lock_of(LegName.P, 3, spend=Spend(SpendKind.CLAIM, "c", 1, secret))
    state = at(state, 30, own=view(shown), theirs=view(lock_of(LegName.I, 9)))
    assert isinstance(state.secret, Unknown)


def test_one_secret_opens_the_locks_of_both_chains_by_plain_sha256_and_by_nothing_else() -> None:
    plain = sha256(PREIMAGE).digest()
    others = {
        "twice": sha256(plain).digest(),
        "ripemd160 of it": hash160(PREIMAGE).ljust(32, b"\0"),
        "backwards": plain[::-1],
    }
    for params in CHAINS:
        assert opens(params, PREIMAGE, plain)
        assert not any(opens(params, PREIMAGE, hashlock) for hashlock in others.values())


# --- Time -------------------------------------------------------------------------------------


def until(w: World, second: int, *legs: LegName) -> None:
    """Blocks on `legs` only, up to `second` after the agreement."""
    while w.now < T0 + second:
        w.block(*legs)


def end(party: Party) -> End | None:
    return party.state.outcome.end if party.state.outcome else None


@pytest.mark.parametrize(("final", "is_revealed"), [(110, True), (120, False)])
def test_the_secret_is_not_shown_for_a_lock_that_became_final_too_late(
    final: int, is_revealed: bool
) -> None:
    """The reveal gate of the regtest timing is 120 s after the agreement; the lock needs 3 blocks.

    At the gate itself, the claim could still be mined but not in time for a reorganisation."""
    w = world()
    w.act()
    until(w, 50, LegName.I)
    until(w, 60)
    until(w, final - 20, LegName.I)
    until(w, final, LegName.P)
    assert w.now == T0 + final
    assert ("BuildClaim" in w.initiator.story) is is_revealed
    w.run(80)
    expected = End.COMPLETED if is_revealed else End.REFUNDED
    assert (end(w.initiator), end(w.participant)) == (expected, expected)


@pytest.mark.parametrize(("final", "is_answered"), [(60, True), (70, False)])
def test_a_lock_that_became_final_too_late_is_not_answered(final: int, is_answered: bool) -> None:
    """The participant's lock gate of the regtest timing is 70 s after the agreement."""
    w = world()
    w.act()
    until(w, 30, LegName.P)
    until(w, 40)
    until(w, final - 10, LegName.P)
    until(w, final)
    assert ("BroadcastLock" in w.participant.story) is is_answered
    w.run(80)
    if not is_answered:
        assert (end(w.initiator), end(w.participant)) == (End.REFUNDED, End.NEVER_FUNDED)


# --- Fees -------------------------------------------------------------------------------------


def old(ref: str) -> Tx:
    """Signed when a vbyte cost 2 units, a block ago."""
    return Tx(b"old", "old", 2 * 139, 2_000, 1000, ref)


@pytest.mark.parametrize("kind", [BuildClaim, BuildRefund, BuildKill])
def test_what_was_signed_in_cheap_times_is_signed_anew_when_a_vbyte_costs_a_thousand(
    kind: type[BuildClaim | BuildRefund | BuildKill],
) -> None:
    """139, 131 and 110 vbytes cost 0.14, 0.13 and 0.11 million of the 0.7 million at stake: dear,
    but worth it."""
    lock = lock_of(LegName.P, 9)
    dear = view(lock, height=1001, fee_next=1_000_000)
    state: SwapState
    if kind is BuildClaim:
        state = msgspec.structs.replace(out(TAKER), claim=old(lock.ref))
        state = at(state, 40, own=view(lock_of(LegName.I, 9)), theirs=dear)
    elif kind is BuildRefund:
        late = msgspec.structs.replace(dear, median_time=T0 + 165 + 1)
        state = msgspec.structs.replace(locked(MAKER), refunds=(old(lock.ref),))
        state = at(state, 170, own=late, theirs=view(lock_of(LegName.I, 9)))
    else:
        hangs = msgspec.structs.replace(dear, locks=(lock_of(LegName.P, 0),))
        killing = Killing(signed(MAKER), old("coin:0"))
        state = msgspec.structs.replace(released(MAKER), own=killing)
        state = at(state, 75, own=hangs, theirs=view(lock_of(LegName.I, 9)))
    [rate] = [effect.fee_rate for effect in pending(state) if isinstance(effect, kind)]
    assert 1_000_000 <= rate < 1_300_000


# --- Taking back ------------------------------------------------------------------------------


def test_a_refund_that_a_reorganisation_undid_is_no_end_and_is_sent_again() -> None:
    w = world()
    w.participant.online = False
    w.act()
    chain = w.chains[LegName.I]

    def refunds() -> list[str]:
        return [tx.txid for tx in chain.txs.values() if tx.kind is SpendKind.REFUND]

    while not any(chain.txs[txid].height for txid in refunds()):
        w.block()
    assert end(w.initiator) is None, "one block is not final"
    chain.reorg(1)
    for txid in refunds():
        chain.drop(txid)
    w.block()
    w.block()
    assert len(refunds()) == 1
    w.run(3)
    assert end(w.initiator) is End.REFUNDED


@pytest.mark.parametrize("depth", [0, 1, 9])
def test_who_takes_its_own_coins_back_does_not_show_the_secret_as_well(depth: int) -> None:
    back = lock_of(LegName.I, 9, spend=Spend(SpendKind.REFUND, "r", depth))
    state = at(locked(TAKER), 30, own=view(back), theirs=view(lock_of(LegName.P, 9)))
    assert isinstance(state.secret, Hidden)
    assert not any(isinstance(effect, BuildClaim) for effect in pending(state))


def test_a_claim_that_pushed_our_refund_out_of_the_mempool_has_told_us_the_secret() -> None:
    """Replacement cycling: the claim comes in place of the refund, and goes, before any block."""
    late = view(lock_of(LegName.P, 9), height=1001, median_time=T0 + 165 + 1)
    flash = lock_of(LegName.P, 9, spend=Spend(SpendKind.CLAIM, "c", 0, PREIMAGE))
    theirs = view(lock_of(LegName.I, 9), height=1001)
    state = at(locked(MAKER), 170, own=late, theirs=theirs)
    [refund] = pending(state)
    assert isinstance(refund, BuildRefund)
    state = at(state, 171, own=msgspec.structs.replace(late, locks=(flash,)), theirs=theirs)
    state = at(state, 172, own=late, theirs=theirs)
    assert isinstance(state.secret, Learned)
    claims = [effect for effect in pending(state) if isinstance(effect, BuildClaim)]
    assert [(claim.lock.ref, claim.preimage) for claim in claims] == [("lock-i:0", PREIMAGE)]


def test_a_node_that_says_too_early_that_the_expiry_has_passed_gets_no_lock_and_no_secret() -> None:
    """A false "you may refund now": time is the latest that anybody tells, so the gates close."""
    early = {"median_time": T0 + 370 + 1}
    nothing = at(begun(TAKER), 5, own=view(**early), theirs=view())
    assert not any(isinstance(effect, BuildLock) for effect in pending(nothing))
    ours, theirs = lock_of(LegName.I, 9), lock_of(LegName.P, 9)
    for own, other in ((early, {}), ({}, early)):
        state = at(locked(TAKER), 30, own=view(ours, **own), theirs=view(theirs, **other))
        assert isinstance(state.secret, Hidden)
    honest = at(locked(TAKER), 30, own=view(ours), theirs=view(theirs))
    assert isinstance(honest.secret, Revealed)
