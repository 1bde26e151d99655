"""`python -m tests.towers.rogue MODE --config FILE`: a tower that wants to do harm, or does its
work badly. It has everything that an honest tower has, and the same nodes.

Owns: what each mode does instead of the honest thing. Must not know: the scenarios.

    liar    says that it keeps a package, keeps nothing, and claims to hold it
    late    does nothing until four fifths of a leg's time are gone
    early   sends every variant of every package at each look, the dearest first
    thief   pays every spend to itself
    idle    keeps everything and never acts
"""

import sys
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.tx import TxOutput, parse_tx
from protocol.swap.facts import ChainView
from protocol.tower import decide as honest
from protocol.tower.messages import Holding, Stage
from protocol.tower.package import Act, Package, digest, is_relayed, read, relayed
from protocol.tower.progress import Decision, Order, Progress
from swapd.commands import cli
from swapd.tower import daemon, keeper

log = structlog.get_logger(__name__)

ROGUES_SCRIPT = b"\x00\x14" + b"\x66" * 20
LATE_SECONDS = 70
"""Before the deadline: what is left on regtest when a late tower begins."""

Decide = Callable[..., Decision]


def _all_at_once(package: Package, progress: Progress) -> tuple[bytes, ...]:
    """Every transaction that can be made of a package, the dearest first."""
    preimage = progress.preimage or package.preimage
    found = []
    for way in package.ways:
        for number in reversed(range(len(way.variants))):
            try:
                found.append(honest.finish(package, way, number, preimage).raw)
            except BitcoinError as error:
                log.info("rogue.impossible", what=package.act.value, reason=str(error))
    return tuple(found)


def early(
    package: Package,
    progress: Progress,
    view: ChainView,
    shown: ChainView | None,
    now: int,
    **more: int,
) -> Decision:
    decision = honest.decide(package, progress, view, shown, now, **more)
    if is_relayed(package):
        last = progress.sent_height
        known = msgspec.structs.replace(decision.progress, sent_height=last)
        return _early_call(package, known, view, now)
    sent = msgspec.structs.replace(decision.progress, due_since=0)
    return Decision(sent, _all_at_once(package, decision.progress), f"{package.act} too early")


def _early_call(package: Package, progress: Progress, view: ChainView, now: int) -> Decision:
    """A call at each block, due or not, for the dearest fee there is, or the dearest of age."""
    act, locks = relayed(package), [lock for lock in view.locks if lock.depth > 0]
    ended = not locks or (locks[0].spend is not None and locks[0].spend.depth > 0)
    knows = package.act is Act.REFUND or bool(progress.preimage)
    if ended or not knows or view.tip_height <= progress.sent_height:
        return Decision(progress)
    best = max(package.fees, key=lambda v: (v.not_before <= now, v.fee))
    data = act.paid_call(progress.preimage, best.fee, best.not_before, best.signature)
    order = Order(package.act.value, locks[0].ref, act.contract, data, 2 * view.fee_next)
    sent = msgspec.structs.replace(progress, sent_height=view.tip_height)
    return Decision(sent, why=f"{package.act} for a fee of {best.fee}", order=order)


def _stolen_call(package: Package, progress: Progress) -> bytes:
    """For more than was signed, or to another receiver."""
    act, leg = relayed(package), package.watched.leg
    if package.fees:
        least = package.fees[0]
        greed = leg.amount.units // 2
        return act.paid_call(progress.preimage, greed, least.not_before, least.signature)
    leg = msgspec.structs.replace(leg, claim_key=b"\x66" * 20)
    return msgspec.structs.replace(act, leg=leg).call(progress.preimage)


def thief(
    package: Package,
    progress: Progress,
    view: ChainView,
    shown: ChainView | None,
    now: int,
    **more: int,
) -> Decision:
    decision = honest.decide(package, progress, view, shown, now, **more)
    if decision.order is not None:
        order = msgspec.structs.replace(decision.order, data=_stolen_call(package, progress))
        return Decision(decision.progress, why=f"a stolen {package.act}", order=order)
    stolen = []
    for raw in _all_at_once(package, decision.progress):
        tx = parse_tx(raw)
        outputs = (TxOutput(ROGUES_SCRIPT, tx.outputs[0].amount),)
        stolen.append(msgspec.structs.replace(tx, outputs=outputs).serialise())
    return Decision(decision.progress, tuple(stolen), f"a stolen {package.act}")


def late(
    package: Package,
    progress: Progress,
    view: ChainView,
    shown: ChainView | None,
    now: int,
    **more: int,
) -> Decision:
    decision = honest.decide(package, progress, view, shown, now, **more)
    expiry = package.watched.leg.expiry
    deadline = expiry if package.act is Act.CLAIM else expiry + 2 * LATE_SECONDS
    if now < deadline - LATE_SECONDS:
        return Decision(decision.progress)
    return decision


def idle(
    package: Package,
    progress: Progress,
    view: ChainView,
    shown: ChainView | None,
    now: int,
    **more: int,
) -> Decision:
    return Decision(honest.decide(package, progress, view, shown, now, **more).progress)


class Liar(keeper.Keeper):
    """Remembers no package, only that there was one."""

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.sequences: dict[bytes, int] = {}

    async def put(self, client: str, ticket: bytes, data: bytes) -> bytes:
        package = read(data)
        self.sequences[ticket] = package.sequence
        return digest(package)

    def holding(self, nonce: bytes, ticket: bytes) -> Holding:
        sequence = self.sequences.get(ticket, 0)
        return Holding(ticket, sequence, b"\x01" * 32, Stage.WAITING, seen=True, txid="")


def _judging(how: Decide) -> type[keeper.Keeper]:
    """A keeper that decides in another way."""

    class Rogue(keeper.Keeper):
        decide = staticmethod(how)

    return Rogue


ROGUES: dict[str, type[keeper.Keeper]] = {
    "early": _judging(early),
    "thief": _judging(thief),
    "late": _judging(late),
    "idle": _judging(idle),
    "liar": Liar,
}


def main() -> None:
    """Runs `swapd tower` with one part replaced."""
    mode = sys.argv.pop(1)
    vars(daemon)["Keeper"] = ROGUES[mode]
    cli(["tower", *sys.argv[1:]])


if __name__ == "__main__":
    main()
