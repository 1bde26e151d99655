"""A swap of BTC for LTC with real keys, both parties' states of it, and packages signed for it.

Owns: honest values; tests replace one of them at a time. Signing is by the secret of each key.
"""

import hashlib
from typing import Any

import msgspec

from protocol.bitcoin.address import address_of, hash160, p2wpkh_script
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.bitcoin.tx import OutPoint
from protocol.swap.agreement import Agreement
from protocol.swap.facts import ChainView, LockSeen, Spend, SpendKind
from protocol.swap.machine import begin
from protocol.swap.states import (
    Held,
    Hidden,
    Learned,
    Released,
    Revealed,
    SignedLock,
    SwapState,
    Tx,
    Unknown,
)
from protocol.swap.timelocks import schedule_of
from protocol.terms import LegName, Role
from protocol.tower.package import Act, Package
from protocol.tower.plan import Draft, digests, drafts, seal
from tests.fakes.scripts import sign_low_r
from tests.protocol.negotiation import scene

TERMS = scene.TERMS
TIMES = schedule_of(TERMS)
PREIMAGE = hashlib.sha256(b"preimage").digest()
LOCK_I = OutPoint(hashlib.sha256(b"lock i").digest(), 1)
LOCK_P = OutPoint(hashlib.sha256(b"lock p").digest(), 0)
FEE_NEXT = 2_000

_KEYS = {
    (LegName.I, Act.CLAIM): b"maker claims i",
    (LegName.P, Act.REFUND): b"maker refunds p",
    (LegName.P, Act.CLAIM): b"taker claims p",
    (LegName.I, Act.REFUND): b"taker refunds i",
}
_PARAMS = {LegName.I: BITCOIN_REGTEST, LegName.P: LITECOIN_REGTEST}
REFS = {LegName.I: str(LOCK_I), LegName.P: str(LOCK_P)}


def payout(name: str, leg: LegName) -> bytes:
    """The script of a client's own address."""
    return p2wpkh_script(hash160(name.encode()))


def view(leg: LegName, *locks: LockSeen, **more: object) -> ChainView:
    """A healthy chain 100 s after the agreement, in which median time is 60 s behind."""
    now = TERMS.t0 + 100
    seen = ChainView(1000, "00" * 32, now, now - 60, FEE_NEXT, 1_000, locks=locks)
    return msgspec.structs.replace(seen, **({"replaces": _PARAMS[leg].replaces} | more))


def lock(leg: LegName, depth: int = 5, spend: Spend | None = None, **more: object) -> LockSeen:
    """The lock of a leg as its chain shows it."""
    units = int(TERMS.leg(leg).amount.units)
    seen = LockSeen(REFS[leg], units, depth, spend=spend, raw=b"the lock")
    return msgspec.structs.replace(seen, **more)


def claimed(depth: int = 0, txid: str = "cc" * 32, to_beat: int = 0) -> Spend:
    """Somebody's claim, with the preimage."""
    return Spend(SpendKind.CLAIM, txid, depth, PREIMAGE, to_beat)


def refunded(depth: int = 0, txid: str = "dd" * 32, to_beat: int = 0) -> Spend:
    """Somebody's refund."""
    return Spend(SpendKind.REFUND, txid, depth, None, to_beat)


def agreement(role: Role) -> Agreement:
    """One party's side of the swap."""
    own, other = (LegName.I, LegName.P) if role is Role.INITIATOR else (LegName.P, LegName.I)
    return Agreement(
        terms=TERMS,
        role=role,
        maker_signature=scene.ACCEPTED.maker_signature,
        taker_signature=scene.PROPOSING.taker_signature,
        salt=hashlib.sha256(role.value.encode()).digest(),
        destination=address_of(_PARAMS[other], payout(f"{role} claim", other)),
        refund_destination=address_of(_PARAMS[own], payout(f"{role} refund", own)),
        since_i=900,
        since_p=900,
        peer_id="somebody",
        agreed_at=TERMS.t0,
    )


def state(role: Role, **more: Any) -> SwapState:
    """Both legs locked; our own lock has left, nobody has shown the preimage."""
    own = LegName.I if role is Role.INITIATOR else LegName.P
    other = LegName.P if role is Role.INITIATOR else LegName.I
    ref = REFS[own]
    signed = SignedLock(Tx(b"", ref.partition(":")[0], 200, 1_300, 1_000, ref), ())
    fields: dict[str, Any] = {
        "own": Released(signed),
        "secret": Hidden() if role is Role.INITIATOR else Unknown(),
        "view_i": view(LegName.I, lock(LegName.I)),
        "view_p": view(LegName.P, lock(LegName.P)),
        "bound": REFS[other],
        "now": TERMS.t0 + 100,
    }
    return msgspec.structs.replace(begin(agreement(role)), **(fields | more))


def held(role: Role) -> SwapState:
    """Our lock is signed and has not left."""
    found = state(role).own
    assert isinstance(found, Released)
    return state(role, own=Held(found.lock))


def signed(draft: Draft, sequence: int = 1) -> Package:
    """The draft, signed by the key it needs."""
    secret = hashlib.sha256(_KEYS[draft.leg, draft.bare.act]).digest()
    return seal(draft, tuple(sign_low_r(secret, each) for each in digests(draft)), sequence)


def package(role: Role, act: Act, *, preimage: bytes = b"", percent: int = 10) -> Package:
    """The package of one role and act."""
    secret = Revealed(TERMS.t0 + 90) if preimage and role is Role.INITIATOR else None
    if preimage and role is Role.PARTICIPANT:
        at = state(role, secret=Learned(preimage, "cc" * 32, TERMS.t0))
    else:
        at = state(role, **({"secret": secret} if secret else {}))
    found = drafts(at, max_fee_percent=percent, preimage=preimage)
    return signed(next(draft for draft in found if draft.bare.act is act))


REFUND_P = package(Role.PARTICIPANT, Act.REFUND)
CLAIM_I = package(Role.PARTICIPANT, Act.CLAIM)
REFUND_I = package(Role.INITIATOR, Act.REFUND)
CLAIM_P = package(Role.INITIATOR, Act.CLAIM)
CLAIM_P_REVEALED = package(Role.INITIATOR, Act.CLAIM, preimage=PREIMAGE)
ALL = (REFUND_P, CLAIM_I, REFUND_I, CLAIM_P, CLAIM_P_REVEALED)
