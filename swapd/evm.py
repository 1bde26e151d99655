"""`swapd evm accounts` and `swapd evm deploy`: what chains with accounts need before a daemon runs.

Owns: both, while no daemon runs. Must not know: the command line, swaps.
"""

from collections.abc import Callable, Iterator, Mapping

import structlog
import trio

from protocol.assets import AssetId
from protocol.evm.address import checksummed
from swapd.api.amounts import format_units
from swapd.chains.evm import EvmChain
from swapd.config import Config, EvmChainConfig
from swapd.parts import address_of_key, connect_evm
from swapd.ports import Chain, ChainError, Clock, NodeMisconfigured, Signer, Store

log = structlog.get_logger(__name__)

Say = Callable[[str], None]

DEPLOY_SECONDS = 600
"""How long a deployment is waited for; it goes on being pending after that."""

_POLL_SECONDS = 1.0


def _chosen(config: Config, name: str | None) -> Iterator[EvmChainConfig]:
    """Raises NodeMisconfigured where there is no such chain."""
    found = [each for each in config.evm if name is None or each.ticker == name.upper()]
    if not found:
        names = ", ".join(each.ticker.lower() for each in config.evm) or "none"
        raise NodeMisconfigured(f"no such chain is configured under [evm]: there is {names}")
    yield from found


def _assets(chains: Mapping[AssetId, Chain]) -> list[EvmChain]:
    return [chain for chain in chains.values() if isinstance(chain, EvmChain)]


async def accounts(
    config: Config, name: str | None, *, store: Store, signer: Signer, clock: Clock, say: Say
) -> None:
    """Says where money has to go, what is there, and which contracts are in place. Raises
    ChainError."""
    for settings in _chosen(config, name):
        chains = _assets(connect_evm(settings, clock, store, signer))
        say(f"{settings.ticker}: {settings.params.title} (chain {settings.params.number})")
        paying = address_of_key(signer.relay_secret())
        for title, address in (
            ("locks", chains[0].fixed_address(refund=True) or ""),
            ("claims and refunds", chains[0].fixed_address(refund=False) or ""),
            ("pays gas while the daemon is locked, nothing else", paying),
        ):
            say(f"  {address}  {title}")
            info = await chains[0].node.see()
            for chain in chains:
                account = chain.check_address(address)
                units = await chain.on_chain.units_of(info.head, account)
                say(f"      {format_units(units, chain.decimals)} {chain.ticker}")
        for chain in chains:
            info = await chain.node.see()
            there = "in place" if await chain.on_chain.is_deployed(info.head) else "not there yet"
            say(f"  {checksummed(chain.on_chain.contract)}  contract for {chain.ticker}: {there}")


async def deploy(
    config: Config, name: str | None, *, store: Store, signer: Signer, clock: Clock, say: Say
) -> None:
    """Puts contracts where they are missing, and waits until they are there. Raises ChainError."""
    for settings in _chosen(config, name):
        chains = _assets(connect_evm(settings, clock, store, signer))
        for chain in chains:
            # No swap is open here that could hold a nonce: the journal's are held by their coins.
            await chain.set_reserved(frozenset())
        async with trio.open_nursery() as nursery:
            await nursery.start(chains[0].run)
            for chain in chains:
                await _deploy(chain, say)
            nursery.cancel_scope.cancel()


async def _deploy(chain: EvmChain, say: Say) -> None:
    where = checksummed(chain.on_chain.contract)
    info = await chain.node.see()
    if await chain.on_chain.is_deployed(info.head):
        say(f"{chain.ticker}: the contract is at {where} already")
        return
    sent = await chain.deploy()
    say(f"{chain.ticker}: transaction {sent.txid} puts the contract at {where}")
    with trio.move_on_after(DEPLOY_SECONDS):
        while True:
            info = await chain.node.see()
            if await chain.on_chain.is_deployed(info.head):
                say(f"{chain.ticker}: the contract is at {where}")
                return
            await trio.sleep(_POLL_SECONDS)
    msg = f"the contract for {chain.ticker} is not mined yet: try again later"
    raise ChainError(msg)
