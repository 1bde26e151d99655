"""Owns the step from [policy] to `Policy`: amounts in base units, profiles, what must not be.

Must not know: files, where values came from.
"""

from collections.abc import Callable, Sequence

import msgspec

from protocol.terms import Exposure
from swapd.config.evm import limits_of
from swapd.config.keys import Key
from swapd.config.model import EvmChainConfig, NamedAsset
from swapd.config.sections import LimitsSection, Sections
from swapd.config.values import parse_amount
from swapd.policy import PROFILES, AssetLimits, Policy

Tell = Callable[[Key, str], None]
_AT: Key = ("policy",)


def resolve(
    sections: Sections,
    known: Sequence[NamedAsset],
    evm: Sequence[EvmChainConfig],
    tell: Tell,
) -> Policy | None:
    """The policy, or None after `tell` was told what is wrong."""
    wrong = False

    def refuse(key: Key, what: str) -> None:
        nonlocal wrong
        wrong = True
        tell(key, what)

    policy = sections.policy
    _check_profile(sections, refuse)
    if policy.max_open_swaps_per_peer > policy.max_open_swaps:
        refuse(
            (*_AT, "max_open_swaps_per_peer"),
            f"{policy.max_open_swaps_per_peer} for one peer is more than the "
            f"{policy.max_open_swaps} of max_open_swaps",
        )
    by_name = {asset.ticker.lower(): asset for asset in known}
    limits = {
        by_name[name].asset_id: _limits(name, section, by_name[name], refuse)
        for name, section in policy.limits.items()
    }
    for chain in evm:
        limits.update(limits_of(chain, sections.evm[chain.ticker.lower()], refuse))
    if wrong:
        return None
    timing, exposure = PROFILES[policy.profile]
    return Policy(
        timing=timing,
        exposure=Exposure(
            exposure.offline if policy.offline_seconds is None else policy.offline_seconds,
            exposure.risk if policy.risk is None else policy.risk,
        ),
        max_open_swaps=policy.max_open_swaps,
        max_open_swaps_per_peer=policy.max_open_swaps_per_peer,
        depth_factor=policy.depth_factor,
        stress_fee_rate=policy.stress_fee_rate,
        assets=limits,
    )


def _check_profile(sections: Sections, refuse: Tell) -> None:
    """A profile of short times is for worthless coins, or for small amounts (safety.md)."""
    profile, key = sections.policy.profile, (*_AT, "profile")
    if profile == "regtest" and sections.network != "regtest":
        refuse(key, "the regtest profile's times are safe for worthless coins only")
    if profile == "fast" and sections.network == "mainnet":
        for name in sections.chains:
            limits = sections.policy.limits.get(name)
            if limits is None or limits.maximum is None:
                refuse(
                    key,
                    "fast accepts fewer confirmations, which can be reversed at a price: set "
                    f"policy.limits.{name}.maximum to what you would risk on one swap",
                )


def _limits(name: str, section: LimitsSection, asset: NamedAsset, refuse: Tell) -> AssetLimits:
    """The limits of one asset in base units."""
    amounts: dict[str, int | None] = {}
    for field in ("minimum", "maximum", "max_locked"):
        text: str | None = getattr(section, field)
        try:
            amounts[field] = None if text is None else parse_amount(text, asset)
        except ValueError as error:
            amounts[field] = None
            refuse((*_AT, "limits", name, field), str(error))
    limits = msgspec.convert({**amounts, "depth": section.depth}, AssetLimits)
    for low, high in (("minimum", "maximum"), ("minimum", "max_locked")):
        least, most = amounts[low], amounts[high]
        if least is not None and most is not None and least > most:
            refuse((*_AT, "limits", name, low), f"{low} is more than {high}")
    return limits
