"""How single parts are made of the configuration: what `swapd run` and `swapd tower` share.

Owns: node connections and the network's settings, as the operator wrote them. Must not know: the
engine, the tower, in which order parts start.
"""

from collections.abc import Mapping

import structlog

from protocol.assets import AssetId
from protocol.evm.address import account_of, checksummed
from swapd.api.amounts import AssetTable
from swapd.api.values import AssetInfo
from swapd.chains.bitcoind import BitcoindChain
from swapd.chains.config import NodeConfig
from swapd.chains.evm import (
    AccountKey,
    EndpointConfig,
    EvmChain,
    EvmConfig,
    EvmNode,
    TokenConfig,
)
from swapd.chains.evm.accounts import CLAIMS, LOCKS
from swapd.config import ChainConfig, Config, EvmChainConfig
from swapd.control.limits import Limits
from swapd.keys.passphrase import read_file
from swapd.keys.secret import Secret
from swapd.keys.signer import public_key_of, sign_recoverable
from swapd.network.client import NetworkConfig
from swapd.network.limits import NetworkLimits
from swapd.ports import (
    Chain,
    ChainError,
    Clock,
    NodeMisconfigured,
    NodeUnreachable,
    Relay,
    Signer,
    Store,
)
from swapd.store.memory import StoreMemory

log = structlog.get_logger(__name__)

VALIDATOR = "protocol.gossip:validate_message"


def connect_chain(config: ChainConfig, clock: Clock, *, wallet: bool = True) -> BitcoindChain:
    """A node connection; without `wallet` it only watches and broadcasts. Raises KeysError for a
    password file that can't be read, NodeMisconfigured."""
    password = ""
    if config.password_file is not None:
        password = read_file(config.password_file).reveal().decode()
    node = NodeConfig(
        url=config.rpc_url,
        wallet=config.wallet if wallet else None,
        cookie_file=config.cookie_file,
        user=config.user or "",
        password=password,
        timeout=config.timeout,
        mempool_poll=config.mempool_poll,
    )
    return BitcoindChain(config.params, node, clock)


def connect_evm(
    config: EvmChainConfig,
    clock: Clock,
    store: Store | None,
    signer: Signer | None,
    relay: bytes | None = None,
) -> dict[AssetId, Chain]:
    """The assets of one chain with accounts, over one connection; without `signer` it only watches
    and broadcasts, with `relay` (a private key) it pays for claims and refunds of others. Raises
    NodeMisconfigured."""
    memory = None if store is None else StoreMemory(store, f"evm:{config.params.number}")
    keys = None if signer is None else (_account(signer, LOCKS), _account(signer, CLAIMS))
    own = [EndpointConfig(url=url, own=True) for url in config.own]
    hosted = [EndpointConfig(url=url, own=False) for url in config.hosted]
    tokens = tuple(
        TokenConfig(
            address=token.address,
            ticker=token.ticker,
            decimals=token.decimals,
            symbol=token.symbol,
            implementation=token.implementation,
            gas=token.gas,
        )
        for token in config.tokens
    )
    settings = EvmConfig(
        params=config.params,
        pace=config.pace,
        endpoints=(*own, *hosted),
        ticker=config.ticker,
        tokens=tokens,
        timeout=config.timeout,
        poll=config.poll,
        stale=config.stale,
        gas_reserve=config.gas_reserve,
    )
    paying = None if relay is None else _paying(Secret(relay))
    node = EvmNode(settings, clock, keys=keys, relay=paying, memory=memory)
    chains = [EvmChain(node, token, memory) for token in (None, *tokens)]
    return {chain.asset: chain for chain in chains}


def _account(signer: Signer, index: int) -> AccountKey:
    async def sign(digest: bytes) -> bytes:
        return await signer.sign_account(index, digest)

    return AccountKey(account_of(signer.account_key(index)), sign)


def _paying(key: Secret) -> AccountKey:
    async def sign(digest: bytes) -> bytes:
        return sign_recoverable(key, digest)

    return AccountKey(account_of(public_key_of(key)), sign)


def address_of_key(key: bytes) -> str:
    """The address of the account of a private key."""
    return checksummed(account_of(public_key_of(Secret(key))))


def relays_of(chains: Mapping[AssetId, Chain]) -> dict[AssetId, Relay]:
    """The accounts that pay for others, where there are any."""
    found = [chain for chain in chains.values() if isinstance(chain, EvmChain)]
    return {chain.asset: chain.relay for chain in found if chain.relay is not None}


async def check_chain(chain: Chain) -> None:
    """Refuses a node of another chain; one that does not answer is waited for while running."""
    try:
        await chain.check()
    except NodeMisconfigured:
        raise
    except NodeUnreachable as error:
        log.warning("chain.unreachable", chain=chain.ticker, reason=str(error))
    except ChainError as error:
        log.warning("chain.not_ready", chain=chain.ticker, reason=str(error))


def network_config(config: Config) -> NetworkConfig:
    """The libp2p process's part of the configuration."""
    p2p = config.p2p
    return NetworkConfig(
        listen=p2p.listen,
        validator=VALIDATOR,
        announce=p2p.announce,
        bootstrap=p2p.bootstrap,
        allow_private=p2p.allow_private,
        limits=NetworkLimits(max_connections=p2p.max_peers),
    )


def asset_table(config: Config) -> AssetTable:
    """The coins that have names on this network, configured or not."""
    return AssetTable(
        AssetInfo(
            asset=params.asset_id,
            chain=params.chain_id,
            ticker=params.ticker,
            decimals=params.decimals,
        )
        for params in config.known
    )


def control_limits(config: Config) -> Limits:
    """The bounds of the control socket."""
    bounds = config.control
    return Limits(
        clients=bounds.clients,
        rate=bounds.rate,
        burst=bounds.burst,
        subscriptions=bounds.subscriptions,
    )
