"""Owns what is meant where the operator says nothing. By network, because a port or a profile that
is right for tests is wrong for money.

Must not know: files, how values are checked.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from protocol.bitcoin.params import ChainParams, params_for
from swapd import paths
from swapd.config.keys import CHAIN_NAMES, Key
from swapd.config.model import NamedAsset

_NETWORKS: Mapping[str, Mapping[str, str]] = {
    "mainnet": {"bitcoin": "mainnet", "litecoin": "mainnet"},
    "testnet": {"bitcoin": "testnet4", "litecoin": "testnet"},
    "signet": {"bitcoin": "signet", "litecoin": "testnet"},
    "regtest": {"bitcoin": "regtest", "litecoin": "regtest"},
}
"""Which chain of each family belongs to our network. Litecoin has no signet."""

# chainparamsbase.cpp of both: RPC port, and the directory of the cookie under the data directory.
_NODES: Mapping[tuple[str, str], tuple[int, str]] = {
    ("bitcoin", "mainnet"): (8332, ""),
    ("bitcoin", "testnet4"): (48332, "testnet4/"),
    ("bitcoin", "signet"): (38332, "signet/"),
    ("bitcoin", "regtest"): (18443, "regtest/"),
    ("litecoin", "mainnet"): (9332, ""),
    ("litecoin", "testnet"): (19332, "testnet4/"),
    ("litecoin", "regtest"): (19443, "regtest/"),
}

_P2P_PORTS = {"mainnet": 7927, "testnet": 17927, "signet": 27927}
"""7927 spells SWAP on a telephone."""


def known_coins(network: str) -> tuple[NamedAsset, ...]:
    """The coins that have names on our network without being configured."""
    return tuple(_named(params_for(family, name)) for family, name in _NETWORKS[network].items())


def _named(params: ChainParams) -> NamedAsset:
    return NamedAsset(
        asset_id=params.asset_id,
        chain_id=params.chain_id,
        ticker=params.ticker,
        decimals=params.decimals,
        # Each halving adds half of what the one before it added.
        most=2 * params.subsidy * params.halving_interval,
    )


def chain_params(network: str, name: str) -> ChainParams:
    """The chain that a table [chains.<name>] is about."""
    family = CHAIN_NAMES[name]
    return params_for(family, _NETWORKS[network][family])


def defaults(network: str, chains: Iterable[str], environ: Mapping[str, str]) -> dict[Key, Any]:
    """Every key that must have a value, with the one it has by itself. Raises PathError."""
    test = network == "regtest"
    values: dict[Key, Any] = {
        ("data_dir",): str(paths.default_base(environ)) if environ.get("HOME") else None,
        ("p2p", "listen"): _listen(network),
        ("p2p", "announce"): (),
        ("p2p", "bootstrap"): (),
        ("p2p", "max_peers"): 128,
        ("p2p", "allow_private"): test,
        ("market", "pairs"): ("BTC/LTC",),
        ("policy", "profile"): "regtest" if test else "home",
        ("policy", "max_open_swaps"): 20,
        ("policy", "max_open_swaps_per_peer"): 4,
        ("policy", "depth_factor"): 1,
        ("policy", "stress_fee_rate"): 100_000,
        ("control", "clients"): 100,
        ("control", "rate"): 2000,
        ("control", "burst"): 4000,
        ("control", "subscriptions"): 16,
        ("recovery", "paths"): (),
        ("recovery", "command"): (),
        ("towers", "claims"): (),
        ("towers", "refunds"): (),
        ("towers", "required"): False,
        ("towers", "max_fee_percent"): 10,
        ("tower", "clients"): (),
        ("tower", "strangers"): 256,
        ("tower", "per_stranger"): 16,
        ("tower", "grace_seconds"): 5 if test else 20,
        ("log", "level"): "info",
        ("log", "format"): "auto",
        ("alarms", "command"): (),
        ("metrics", "listen"): "",
        ("metrics", "allow_remote"): False,
        ("unattended", "watch_when_locked"): False,
    }
    for name in chains:
        values.update(_chain(network, name))
    return {key: value for key, value in values.items() if value is not None}


def _listen(network: str) -> tuple[str, ...]:
    if network == "regtest":
        return ("/ip4/127.0.0.1/tcp/0",)
    port = _P2P_PORTS[network]
    return (f"/ip4/0.0.0.0/tcp/{port}", f"/ip6/::/tcp/{port}")


def _chain(network: str, name: str) -> dict[Key, Any]:
    family = CHAIN_NAMES[name]
    port, folder = _NODES[family, _NETWORKS[network][family]]
    at: Key = ("chains", name)
    return {
        (*at, "kind"): family,
        (*at, "rpc_url"): f"http://127.0.0.1:{port}",
        (*at, "wallet"): "",
        (*at, "cookie_file"): f"~/.{family}/{folder}.cookie",
        (*at, "timeout_seconds"): 30,
        (*at, "mempool_poll_ms"): 500,
    }
