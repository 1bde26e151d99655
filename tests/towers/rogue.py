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
from protocol.tower.package import Act, Package, digest, read
from protocol.tower.progress import Decision, Progress
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
    *,
    grace: int,
) -> Decision:
    decision = honest.decide(package, progress, view, shown, now, grace=grace)
    sent = msgspec.structs.replace(decision.progress, due_since=0)
    return Decision(sent, _all_at_once(package, decision.progress), f"{package.act} too early")


def thief(
    package: Package,
    progress: Progress,
    view: ChainView,
    shown: ChainView | None,
    now: int,
    *,
    grace: int,
) -> Decision:
    decision = honest.decide(package, progress, view, shown, now, grace=grace)
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
    *,
    grace: int,
) -> Decision:
    decision = honest.decide(package, progress, view, shown, now, grace=grace)
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
    *,
    grace: int,
) -> Decision:
    return Decision(honest.decide(package, progress, view, shown, now, grace=grace).progress)


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
