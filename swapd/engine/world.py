"""The ports one engine works with, in one value. Must not know: any adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol.assets import AssetId
from swapd.engine.mode import Mode
from swapd.engine.tower_gate import TowerGate
from swapd.policy import Policy
from swapd.ports import (
    Chain,
    Clock,
    Entropy,
    Peers,
    Recovery,
    RecoveryStatus,
    Signer,
    Store,
)


class NothingKept:
    """The `Recovery` of a daemon that keeps no recovery file."""

    async def secure(self) -> None:
        """There is nothing to write."""

    def status(self) -> RecoveryStatus:
        """No place."""
        return RecoveryStatus(())


@dataclass(frozen=True)
class World:
    """Everything the engine may touch. `chains` by the asset that is swapped on them;
    `mode` says what it still begins, `towers` what must be with watchtowers first."""

    chains: Mapping[AssetId, Chain]
    peers: Peers
    store: Store
    signer: Signer
    clock: Clock
    entropy: Entropy
    policy: Policy
    mode: Mode = field(default_factory=Mode)
    recovery: Recovery = field(default_factory=NothingKept)
    towers: TowerGate = field(default_factory=TowerGate)
