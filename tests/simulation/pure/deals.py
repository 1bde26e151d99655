"""What is agreed in a simulated swap: the real terms, and the same in plain numbers.

Owns: `agree`. Must not know: what happens afterwards.
"""

import hashlib
from random import Random
from typing import NamedTuple

from protocol.amounts import Amount, Units
from protocol.kinds import pays_own_fees
from protocol.signing import PublicKey, Signature
from protocol.swap.agreement import Agreement
from protocol.swap.timelocks import Schedule, schedule
from protocol.terms import Kind, LegTerms, PinnedBlock, Role, Terms
from tests.simulation.checks.records import Deal, Leg
from tests.simulation.pure.setting import Setting

LONG_SECRETS = 0.02

_PINNED = PinnedBlock(0, bytes(32))


class Agreed(NamedTuple):
    """One deal, its secret, and both sides' agreements."""

    deal: Deal
    preimage: bytes
    terms: Terms


def agree(setting: Setting, number: int, t0: int) -> Agreed:
    """The deal of swap `number`."""
    rng = Random(f"deal {setting.seed} {number}")
    one, two = setting.families
    families = (one, two) if rng.random() < 0.5 else (two, one)
    taker, maker = setting.kind.taker, setting.kind.maker
    # A rogue may choose a secret that no script accepts, and hope that one daemon does.
    preimage = rng.randbytes(33 if rng.random() < LONG_SECRETS else 32)
    params = [setting.params(family) for family in families]
    depths = [setting.depths[family] for family in families]
    times = schedule(
        t0=t0,
        timing=setting.kind.timing,
        chain_i=params[0].chain_id,
        chain_p=params[1].chain_id,
        depth_i=depths[0],
        depth_p=depths[1],
        exposure_i=taker,
        exposure_p=maker,
        pace_i=setting.paces.get(families[0]),
        pace_p=setting.paces.get(families[1]),
    )
    units = [setting.least(family) * rng.randint(100, 900) // 100 for family in families]

    def leg(at: int, expiry: int) -> LegTerms:
        amount = Amount(setting.asset(families[at]), Units(units[at]))
        keys = [bytes([2, at, side]) + number.to_bytes(30, "big") for side in (0, 1)]
        pace = setting.paces.get(families[at])
        kind = Kind.P2WSH if pace is None else Kind.EVM
        if pace is not None:
            keys = [keys[0][13:], keys[1][13:] + b"\x01"]
        return LegTerms(kind, amount, keys[0], keys[1], expiry, depths[at], _PINNED, pace)

    terms = Terms(
        version=1,
        swap_id=rng.randbytes(32),
        offer_id=bytes(32),
        maker=PublicKey(b"\x03" * 32),
        taker=PublicKey(b"\x04" * 32),
        hashlock=hashlib.sha256(preimage).digest(),
        t0=t0,
        timing=setting.kind.timing,
        exposure_i=taker,
        exposure_p=maker,
        leg_i=leg(0, times.expiry_i),
        leg_p=leg(1, times.expiry_p),
        min_fee_rate_i=1000,
    )
    return Agreed(plain(f"s{number}.", terms, families), preimage, terms)


def plain(name: str, terms: Terms, families: tuple[str, str]) -> Deal:
    """Terms as the checkers read them."""

    def leg(at: int, of: LegTerms) -> Leg:
        script = ("htlc", name, "ip"[at])
        p = of.pace
        pace = None if p is None else (p.interval, p.early, p.outage)
        final = 0 if p is None else p.finality
        token = p is not None and not pays_own_fees(of.amount.asset)
        units = int(of.amount.units)
        return Leg(families[at], script, units, of.expiry, of.depth, pace, final, token)

    return Deal(
        name=name,
        hashlock=terms.hashlock,
        timing=terms.timing.value,
        t0=terms.t0,
        leg_i=leg(0, terms.leg_i),
        leg_p=leg(1, terms.leg_p),
        away_i=terms.exposure_i.offline,
        away_p=terms.exposure_p.offline,
        risk=max(terms.exposure_i.risk, terms.exposure_p.risk),
    )


def agreement(terms: Terms, role: Role, at: int) -> Agreement:
    """What one side journals first."""
    return Agreement(
        terms=terms,
        role=role,
        maker_signature=Signature(bytes(64)),
        taker_signature=Signature(bytes(64)),
        salt=bytes(32),
        destination="claims",
        refund_destination="refunds",
        since_i=0,
        since_p=0,
        peer_id="peer",
        agreed_at=at,
    )


def times_of(terms: Terms) -> Schedule:
    """All doors of these terms, for planning trouble (never for judging)."""
    return schedule(
        t0=terms.t0,
        timing=terms.timing,
        chain_i=terms.leg_i.chain,
        chain_p=terms.leg_p.chain,
        depth_i=terms.leg_i.depth,
        depth_p=terms.leg_p.depth,
        exposure_i=terms.exposure_i,
        exposure_p=terms.exposure_p,
        pace_i=terms.leg_i.pace,
        pace_p=terms.leg_p.pace,
    )
