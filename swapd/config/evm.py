"""Owns the step from [evm.NAME] to `EvmChainConfig`: addresses, amounts, how a chain keeps time,
and what must not be.

Must not know: files, where values came from.

Of chains in protocol.evm.params the pace is known, and may only be stated slower. Of others, and of
those that one sequencer orders, it has to be stated: how early the clock may run and how long the
sequencer may be out decide when coins are safe (safety rule 27).
"""

from collections.abc import Callable
from typing import Final

from protocol.assets import AssetId, ChainId
from protocol.errors import DecodeError, RemoteProtocolError
from protocol.evm.address import parse_address
from protocol.evm.params import EvmParams, evm_params
from protocol.swap.timelocks import slower
from protocol.terms import Pace
from swapd.config import values
from swapd.config.keys import Key, dotted
from swapd.config.model import EvmChainConfig, NamedAsset, Network, TokenChoice
from swapd.config.sections import EvmSection, TokenSection
from swapd.policy import AssetLimits

Tell = Callable[[Key, str], None]

STALE_BLOCKS: Final = 15
_LEAST_STALE: Final = 180
_GWEI_RATE: Final = 10**9 * 1000
"""Wei per 1000 gas for one gwei per gas."""


def resolve_chain(
    name: str, section: EvmSection, network: Network, tell: Tell
) -> EvmChainConfig | None:
    """One chain, or None after `tell` was told what is wrong."""
    at: Key = ("evm", name)
    params = evm_params(ChainId(f"eip155:{section.chain_id}"))
    if params.is_test != network.is_test or params.is_dev != (network is Network.REGTEST):
        tell((*at, "chain_id"), f"{params.title} is no chain of network {network.value}")
    for key, urls in (("own_endpoints", section.own_endpoints), ("endpoints", section.endpoints)):
        for url in urls:
            if not values.is_http(url):
                tell((*at, key), "an endpoint looks like http://127.0.0.1:8545")
    if not section.own_endpoints and len(section.endpoints) < 2:
        what = (
            "name a node of your own (own_endpoints), or endpoints of at least two operators: "
            "one alone could tell you anything"
        )
        tell((*at, "endpoints"), what)
    pace = _pace(at, section, params, tell)
    tokens = [_token((*at, "tokens", key), key, t, tell) for key, t in section.tokens.items()]
    coin = NamedAsset(
        asset_id=params.asset_id, chain_id=params.chain_id, ticker=name.upper(), decimals=18
    )
    reserve = _amount((*at, "gas_reserve"), section.gas_reserve, coin, tell)
    if pace is None or reserve is None or None in tokens:
        return None
    stale = section.stale_seconds
    if stale is None:
        stale = 0 if params.is_dev else max(_LEAST_STALE, STALE_BLOCKS * pace.interval)
    return EvmChainConfig(
        params=params,
        ticker=name.upper(),
        pace=pace,
        own=section.own_endpoints,
        hosted=section.endpoints,
        tokens=tuple(token for token in tokens if token is not None),
        stale=stale,
        timeout=float(section.timeout_seconds),
        poll=section.poll_ms / 1000,
        gas_reserve=reserve,
    )


def _pace(at: Key, section: EvmSection, params: EvmParams, tell: Tell) -> Pace | None:
    known = params.pace
    stated = {
        "block_seconds": section.block_seconds,
        "finality_seconds": section.finality_seconds,
        "early_seconds": section.early_seconds,
        "outage_seconds": section.outage_seconds,
    }
    missing = [key for key, value in stated.items() if value is None]
    if known is None and missing:
        names = ", ".join(dotted((*at, key)) for key in missing)
        tell(at, f"how {params.title} keeps time is not known: state {names}")
        return None
    base = known or Pace(interval=1)

    def given(key: str, default: int) -> int:
        value = stated[key]
        return default if value is None else value

    try:
        pace = Pace(
            interval=given("block_seconds", base.interval),
            finality=given("finality_seconds", base.finality),
            early=given("early_seconds", base.early),
            outage=given("outage_seconds", base.outage),
        )
    except RemoteProtocolError as error:
        tell(at, error.detail)
        return None
    if known is not None and slower(known, pace) != pace:
        tell(at, f"{params.title} is slower than that: leave its times out, or state longer ones")
        return None
    return pace


def _token(at: Key, name: str, section: TokenSection, tell: Tell) -> TokenChoice | None:
    address = _address((*at, "address"), section.address, tell)
    leads = None
    if section.implementation is not None:
        leads = _address((*at, "implementation"), section.implementation, tell)
    if address is None:
        return None
    return TokenChoice(
        ticker=name.upper(),
        address=address,
        decimals=section.decimals,
        symbol=section.symbol,
        implementation=leads,
        gas=section.gas,
    )


def _address(at: Key, text: str, tell: Tell) -> bytes | None:
    try:
        return parse_address(text)
    except DecodeError as error:
        tell(at, str(error))
        return None


def _amount(at: Key, text: str | None, asset: NamedAsset, tell: Tell) -> int | None:
    if text is None:
        return None
    try:
        return values.parse_amount(text, asset)
    except ValueError as error:
        tell(at, str(error))
        return None


def limits_of(chain: EvmChainConfig, section: EvmSection, tell: Tell) -> dict[AssetId, AssetLimits]:
    """What the operator accepts of each asset of a chain."""
    at: Key = ("evm", chain.ticker.lower())
    sections: list[tuple[Key, EvmSection | TokenSection]] = [(at, section)]
    sections += [((*at, "tokens", name), token) for name, token in section.tokens.items()]
    found: dict[AssetId, AssetLimits] = {}
    for asset, (key, wanted) in zip(chain.assets(), sections, strict=True):
        amounts = {
            name: _amount((*key, name), getattr(wanted, name), asset, tell)
            for name in ("minimum", "maximum", "max_locked")
        }
        found[asset.asset_id] = AssetLimits(
            minimum=amounts["minimum"],
            maximum=amounts["maximum"],
            max_locked=amounts["max_locked"],
            depth=section.depth,
            stress_fee_rate=section.stress_gwei * _GWEI_RATE,
            pace=chain.pace,
        )
        least = amounts["minimum"]
        for name in ("maximum", "max_locked"):
            most = amounts[name]
            if least is not None and most is not None and least > most:
                tell((*key, "minimum"), f"minimum is more than {name}")
    return found
