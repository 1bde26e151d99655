"""Owns the configuration as the daemon uses it: checked, absolute, in base units.

Must not know: files, text forms, where a value came from.
"""

import enum
from pathlib import Path
from typing import Literal

from msgspec import Struct

from protocol.assets import AssetId, ChainId
from protocol.bitcoin.params import ChainParams
from protocol.evm.address import checksummed
from protocol.evm.params import EvmParams
from protocol.terms import Pace
from swapd.paths import DataPaths
from swapd.policy import Policy


class Network(enum.StrEnum):
    """Which coins are at stake."""

    MAINNET = "mainnet"
    TESTNET = "testnet"
    SIGNET = "signet"
    REGTEST = "regtest"

    @property
    def is_test(self) -> bool:
        """Whether its coins are worth nothing."""
        return self is not Network.MAINNET


class ChainConfig(Struct, frozen=True, kw_only=True):
    """One node. Either `cookie_file`, or `user` and `password_file`. `mempool_poll` and `timeout`
    in seconds."""

    params: ChainParams
    rpc_url: str
    wallet: str
    cookie_file: Path | None
    user: str | None
    password_file: Path | None
    timeout: float
    mempool_poll: float


class NamedAsset(Struct, frozen=True, kw_only=True):
    """An asset that has a name on our network, configured or not. `most`: more than there is."""

    asset_id: AssetId
    chain_id: ChainId
    ticker: str
    decimals: int
    most: int = 2**96 - 1


class TokenChoice(Struct, frozen=True, kw_only=True):
    """A token that is swapped: its address, what it must say of itself, where its proxy leads,
    the gas limit of its locks, claims and refunds."""

    ticker: str
    address: bytes
    decimals: int
    symbol: str
    implementation: bytes | None
    gas: int


class EvmChainConfig(Struct, frozen=True, kw_only=True):
    """One chain with accounts. `own` are endpoints of the operator's own nodes; all urls are
    secret. `gas_reserve` in wei; `stale`, `timeout` and `poll` in seconds."""

    params: EvmParams
    ticker: str
    pace: Pace
    own: tuple[str, ...]
    hosted: tuple[str, ...]
    tokens: tuple[TokenChoice, ...]
    stale: int
    timeout: float
    poll: float
    gas_reserve: int

    def __repr__(self) -> str:
        """Without urls: configurations get logged."""
        return f"EvmChainConfig({self.params.title}, {self.ticker})"

    def assets(self) -> tuple[NamedAsset, ...]:
        """Its own coin, then its tokens."""
        chain, own = self.params.chain_id, self.params.asset_id
        found = [NamedAsset(asset_id=own, chain_id=chain, ticker=self.ticker, decimals=18)]
        for token in self.tokens:
            asset = AssetId(f"{chain}/erc20:{checksummed(token.address)}")
            found.append(
                NamedAsset(
                    asset_id=asset, chain_id=chain, ticker=token.ticker, decimals=token.decimals
                )
            )
        return tuple(found)


class P2pConfig(Struct, frozen=True, kw_only=True):
    """Multiaddrs; those of `bootstrap` end in /p2p/<peer id>."""

    listen: tuple[str, ...]
    announce: tuple[str, ...]
    bootstrap: tuple[str, ...]
    max_peers: int
    allow_private: bool


class Pair(Struct, frozen=True):
    """A book that is kept. `name` is what the operator wrote."""

    name: str
    base: AssetId
    quote: AssetId


class ControlConfig(Struct, frozen=True, kw_only=True):
    """Bounds of the control socket: connected `clients`; calls a second and at once, and
    subscriptions, of each."""

    clients: int
    rate: int
    burst: int
    subscriptions: int


class RecoveryConfig(Struct, frozen=True, kw_only=True):
    """Where the recovery file goes, and the program that carries it on (none: empty)."""

    paths: tuple[Path, ...]
    command: tuple[str, ...]


class LogConfig(Struct, frozen=True):
    """What is said, and how."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["auto", "json", "text", "journald"]


class MetricsConfig(Struct, frozen=True):
    """Where Prometheus finds us; port 0 is any free one."""

    host: str
    port: int


class TowersConfig(Struct, frozen=True, kw_only=True):
    """Full addresses of the towers that get our claims, and of those that get our refunds; whether
    a lock waits until one of each has its package; what a tower may spend on fees."""

    claims: tuple[str, ...] = ()
    refunds: tuple[str, ...] = ()
    required: bool = False
    max_fee_percent: int = 10


class TowerConfig(Struct, frozen=True, kw_only=True):
    """What `swapd tower` keeps: packages of all `strangers`, of one of them; `clients` are peer ids
    with room of their own; a client has `grace_seconds` to act by itself."""

    key_file: Path | None = None
    clients: tuple[str, ...] = ()
    strangers: int = 256
    per_stranger: int = 16
    grace_seconds: int = 20


class Config(Struct, frozen=True, kw_only=True):
    """Everything the operator decided. `chains` and `evm` are empty for a daemon that only relays;
    `known` are the assets that have names on this network, configured or not; `alarm_command` is
    empty and `metrics` None where nobody asked for them."""

    network: Network
    paths: DataPaths
    chains: tuple[ChainConfig, ...]
    known: tuple[NamedAsset, ...]
    evm: tuple[EvmChainConfig, ...] = ()
    p2p: P2pConfig
    pairs: tuple[Pair, ...]
    policy: Policy
    control: ControlConfig
    recovery: RecoveryConfig
    log: LogConfig
    alarm_command: tuple[str, ...]
    metrics: MetricsConfig | None
    watch_when_locked: bool
    towers: TowersConfig
    tower: TowerConfig
    clock_file: Path | None

    @property
    def is_relay(self) -> bool:
        """Whether this daemon has no coins to swap."""
        return not self.chains and not self.evm
