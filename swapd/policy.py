"""The operator's own limits and needs, as one value.

Owns: `Policy`, and its defaults by profile. Must not know: files, flags, where values came from.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct, field

from protocol.assets import AssetId
from protocol.terms import Exposure, Timing

PROFILES: Mapping[str, tuple[Timing, Exposure]] = MappingProxyType(
    {
        "home": (Timing.STANDARD, Exposure(6 * 3600, 6)),
        "server": (Timing.STANDARD, Exposure(30 * 60, 4)),
        "fast": (Timing.FAST, Exposure(10 * 60, 3)),
        "regtest": (Timing.REGTEST, Exposure(30, 6)),
    }
)
"""safety.md: the longest absence and the accepted loss probability of each kind of operator."""


class AssetLimits(Struct, frozen=True):
    """Limits of one asset in base units; None = no limit of the operator's own. `depth` raises
    (never lowers) the depth that makes a lock final."""

    minimum: int | None = None
    maximum: int | None = None
    max_locked: int | None = None
    depth: int | None = None


class Policy(Struct, frozen=True):
    """What this operator accepts. `depth_factor` is q of safety rule 4."""

    timing: Timing
    exposure: Exposure
    max_open_swaps: int = 20
    max_open_swaps_per_peer: int = 4
    depth_factor: int = 1
    stress_fee_rate: int = 100_000
    assets: dict[AssetId, AssetLimits] = field(default_factory=dict)

    def limits(self, asset: AssetId) -> AssetLimits:
        """The limits of one asset."""
        return self.assets.get(asset, AssetLimits())
