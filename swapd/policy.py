"""The operator's own limits and needs, as one value.

Owns: `Policy`, and its defaults by profile. Must not know: files, flags, where values came from.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct, field

from protocol.assets import AssetId, chain_of
from protocol.kinds import STRESS_FEE_RATES, kind_of
from protocol.swap.timelocks import pace_of
from protocol.terms import Exposure, Kind, Pace, Timing

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
    (never lowers) the depth that makes a lock final. `stress_fee_rate` is what a bad day costs on
    its chain, `pace` how that keeps time, where the operator says so."""

    minimum: int | None = None
    maximum: int | None = None
    max_locked: int | None = None
    depth: int | None = None
    stress_fee_rate: int | None = None
    pace: Pace | None = None


class Policy(Struct, frozen=True):
    """What this operator accepts. `depth_factor` is q of safety rule 4; `stress_fee_rate` is what a
    bad day costs on chains of the bitcoind family."""

    timing: Timing
    exposure: Exposure
    max_open_swaps: int = 20
    max_open_swaps_per_peer: int = 4
    depth_factor: int = 1
    stress_fee_rate: int = STRESS_FEE_RATES[Kind.P2WSH]
    assets: dict[AssetId, AssetLimits] = field(default_factory=dict)

    def limits(self, asset: AssetId) -> AssetLimits:
        """The limits of one asset."""
        return self.assets.get(asset, AssetLimits())

    def stress(self, asset: AssetId) -> int:
        """What a bad day costs on the chain of `asset`, per 1000 units of size."""
        own, kind = self.limits(asset).stress_fee_rate, kind_of(chain_of(asset))
        if own is not None:
            return own
        return self.stress_fee_rate if kind is Kind.P2WSH else STRESS_FEE_RATES[kind]

    def pace(self, asset: AssetId) -> Pace | None:
        """How we say that the chain of `asset` keeps time; None where nothing has to be said, or
        nothing is known."""
        return pace_of(chain_of(asset), self.limits(asset).pace)
