"""Whether a node may be trusted with swaps at all: chain, version, rules in force, wallet.

Owns: the checks that end in NodeMisconfigured, each with its remedy. Must not know: passing
troubles such as a late tip (`health`).

Sources: the RPC help of Bitcoin Core 22 to 29 and Litecoin Core 0.21. Up to Core 22, and in
litecoind, `getblockchaininfo` lists the deployments; since 23 `getdeploymentinfo` does.
"""

from collections.abc import Mapping
from typing import Any, Final

from protocol.bitcoin.params import ChainParams
from swapd.chains.answers import block_hash, flag, rows, short, table, text, whole
from swapd.chains.config import NodeConfig
from swapd.chains.rpc import Rpc, RpcError
from swapd.ports import NodeMisconfigured, WalletMissing

METHOD_NOT_FOUND: Final = -32601
WALLET_NOT_FOUND: Final = -18

_MINIMUM_VERSION: Final = {"bitcoin": 220000, "litecoin": 210000}
"""The first that knows taproot addresses, in the form `getnetworkinfo` prints it."""

_RULES: Final = ("bip65", "csv", "segwit")
"""What an HTLC relies on: absolute time locks, median time past, witnesses."""

_CHAIN_NAMES: Final = {"mainnet": "main", "testnet3": "test", "testnet": "test"}


async def check_node(rpc: Rpc, params: ChainParams, config: NodeConfig) -> None:
    """Raises NodeMisconfigured, NodeUnreachable; returns when all is well."""
    info, genesis, network, wallets = await rpc.batch(
        [
            ("getblockchaininfo", ()),
            ("getblockhash", (0,)),
            ("getnetworkinfo", ()),
            ("listwallets", ()),
        ]
    )
    for answer in (info, genesis, network):
        if isinstance(answer, RpcError):
            raise answer
    chain = table(info)
    check_chain(rpc.where, params, chain, genesis)
    _check_version(rpc.where, params, table(network))
    await _check_rules(rpc, params, chain)
    if config.wallet is not None:
        _check_loaded(rpc.where, config, wallets)
        await _check_wallet(rpc, config)


def check_chain(where: str, params: ChainParams, info: Mapping[str, Any], genesis: object) -> None:
    """Whether `getblockchaininfo` and the hash of block 0 are those of our chain."""
    name = text(info.get("chain"))
    first = block_hash(genesis)
    if first != params.genesis or name != _CHAIN_NAMES.get(params.network, params.network):
        msg = (
            f"the node at {where} is on chain {name[:40]!r} with first block {first}, "
            f"but {params.title} is configured: check the url and the node's network"
        )
        raise NodeMisconfigured(msg)


def _check_version(where: str, params: ChainParams, network: Mapping[str, Any]) -> None:
    version = whole(network.get("version"))
    least = _MINIMUM_VERSION.get(params.name, 0)
    if version < least:
        shown = short(network.get("subversion"))
        msg = f"the node at {where} is {shown} ({version}); {params.name} needs {least} or newer"
        raise NodeMisconfigured(msg)


async def _check_rules(rpc: Rpc, params: ChainParams, info: Mapping[str, Any]) -> None:
    if "softforks" in info:
        forks, height = table(info["softforks"]), whole(info.get("blocks"))
    else:
        answer = table(await rpc.call("getdeploymentinfo"))
        forks, height = table(answer.get("deployments")), whole(answer.get("height"))
    for rule in _RULES:
        if rule not in forks:
            msg = f"the node at {rpc.where} does not know the rule {rule}: HTLCs are not safe there"
            raise NodeMisconfigured(msg)
        fork = table(forks[rule])
        since = whole(fork["height"]) if "height" in fork else None
        if not flag(fork.get("active")) or (since is not None and since > height):
            from_then = f" (from block {since})" if since is not None else ""
            msg = (
                f"{rule} is not active yet on {params.title}{from_then}; the tip is {height}: "
                f"refunds are not safe before, so wait (on regtest: mine more blocks)"
            )
            raise NodeMisconfigured(msg)


def wallet_problem(where: str, config: NodeConfig, wallets: object) -> str | None:
    """What is wrong with the answer to `listwallets`, or None."""
    if config.wallet is None:
        return None
    if isinstance(wallets, RpcError):
        return f"the node at {where} runs without wallets: start it without -disablewallet"
    if config.wallet not in [text(name) for name in rows(wallets)]:
        return (
            f"wallet {config.wallet!r} is not loaded at {where}: "
            f'run `loadwallet "{config.wallet}"`, or `createwallet` if there is none yet'
        )
    return None


def _check_loaded(where: str, config: NodeConfig, wallets: object) -> None:
    problem = wallet_problem(where, config, wallets)
    if problem:
        raise WalletMissing(problem)


async def _check_wallet(rpc: Rpc, config: NodeConfig) -> None:
    info = table(await rpc.call("getwalletinfo", wallet=True))
    if not flag(info.get("private_keys_enabled", True)):
        msg = f"wallet {config.wallet!r} at {rpc.where} has no private keys: name one that can sign"
        raise NodeMisconfigured(msg)
