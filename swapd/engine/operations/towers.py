"""Watchtowers for the operator: what each holds, and what is wrong with one.

Owns: those views. Must not know: how towers are talked to, sockets.
"""

from protocol.terms import LegName
from swapd.api import calls
from swapd.engine.operations.context import Context
from swapd.engine.towers import PackageStatus, TowerStatus


class TowerOperations:
    """tower.*"""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def tower_list(
        self,
        params: calls.NoParams,  # noqa: ARG002 - interface
    ) -> calls.TowerListResult:
        return calls.TowerListResult(
            required=self._c.towers_required,
            towers=tuple(_view(status) for status in self._c.towers()),
        )


def problems(statuses: tuple[TowerStatus, ...]) -> list[calls.Problem]:
    """What `health` says of towers."""
    remedy = "see `tower.list`; tell the tower's operator, or name another one"
    return [
        calls.Problem(where=f"tower {status.tower.peer_id}", what=what, remedy=remedy)
        for status in statuses
        for what in status.problems
    ]


def _view(status: TowerStatus) -> calls.TowerView:
    return calls.TowerView(
        peer_id=status.tower.peer_id,
        addresses=status.tower.addresses,
        acts=tuple(sorted(act.value for act in status.acts)),
        heard_at=status.heard_at,
        problems=status.problems,
        packages=tuple(_package(package) for package in status.packages),
    )


def _package(package: PackageStatus) -> calls.TowerPackageView:
    return calls.TowerPackageView(
        swap_id=package.swap_id.hex(),
        leg=LegName(package.leg).value,
        act=package.act.value,
        held=package.held,
        stage=package.stage.value,
        txid=package.txid,
    )
