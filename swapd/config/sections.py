"""Owns the keys of the configuration file: their names, types, ranges and meaning.

Must not know: where values come from, other keys than its own. config/swapd.example.toml explains
every one of them to the operator; a test holds the two together.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from protocol.limits import MAX_DEPTH

Text = Annotated[str, Meta(min_length=1, max_length=4096)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=256)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class ChainSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[chains.btc], [chains.ltc]: one node and the wallet in it that funds locks."""

    kind: Literal["bitcoin", "litecoin"]
    rpc_url: Text
    wallet: Annotated[str, Meta(max_length=256)]
    cookie_file: Text | None = None
    user: Text | None = None
    password_file: Text | None = None
    timeout_seconds: Annotated[int, Meta(ge=1, le=600)]
    mempool_poll_ms: Annotated[int, Meta(ge=50, le=1000)]


class TokenSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[evm.eth.tokens.usdc]: one token, by its address."""

    address: Text
    decimals: Annotated[int, Meta(ge=0, le=36)]
    symbol: Annotated[str, Meta(min_length=1, max_length=32)]
    implementation: Text | None = None
    gas: Annotated[int, Meta(ge=100_000, le=10_000_000)] = 250_000
    minimum: Text
    maximum: Text | None = None
    max_locked: Text | None = None


class EvmSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[evm.eth]: one chain with accounts. The table's name is that of its own coin."""

    chain_id: Annotated[int, Meta(ge=1, le=2**53)]
    own_endpoints: Texts = ()
    endpoints: Texts = ()
    depth: Annotated[int, Meta(ge=1, le=MAX_DEPTH)] | None = None
    block_seconds: Annotated[int, Meta(ge=1, le=3600)] | None = None
    finality_seconds: Annotated[int, Meta(ge=0, le=2 * 86400)] | None = None
    early_seconds: Annotated[int, Meta(ge=0, le=2 * 86400)] | None = None
    outage_seconds: Annotated[int, Meta(ge=0, le=2 * 86400)] | None = None
    stale_seconds: Annotated[int, Meta(ge=0, le=86400)] | None = None
    timeout_seconds: Annotated[int, Meta(ge=1, le=600)] = 20
    poll_ms: Annotated[int, Meta(ge=50, le=60_000)] = 1000
    gas_reserve: Text = "0.01"
    stress_gwei: Annotated[int, Meta(ge=1, le=1_000_000)] = 50
    minimum: Text | None = None
    maximum: Text | None = None
    max_locked: Text | None = None
    tokens: dict[str, TokenSection] = {}


class P2pSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[p2p]: how other daemons are reached, and how they reach us."""

    listen: Texts
    announce: Texts
    bootstrap: Texts
    max_peers: Annotated[int, Meta(ge=1, le=1000)]
    allow_private: bool


class MarketSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[market]: which books are kept and passed on."""

    pairs: Texts


class LimitsSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[policy.limits.btc]: bounds of one asset; amounts like "0.01" or "1000000 units"."""

    minimum: Text | None = None
    maximum: Text | None = None
    max_locked: Text | None = None
    depth: Annotated[int, Meta(ge=1, le=MAX_DEPTH)] | None = None


class PolicySection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[policy]: what this operator accepts."""

    profile: Literal["home", "server", "fast", "regtest"]
    offline_seconds: Annotated[int, Meta(ge=0, le=12 * 3600)] | None = None
    risk: Annotated[int, Meta(ge=2, le=9)] | None = None
    max_open_swaps: Count
    max_open_swaps_per_peer: Count
    depth_factor: Annotated[int, Meta(ge=1, le=1000)]
    stress_fee_rate: Annotated[int, Meta(ge=1000, le=100_000_000)]
    limits: dict[str, LimitsSection] = {}


class ControlSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[control]: the socket that swap-cli talks to."""

    socket: Text | None = None
    clients: Count
    rate: Count
    burst: Count
    subscriptions: Count


class RecoverySection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[recovery]: what survives the loss of this machine."""

    paths: Texts
    command: Texts


class LogSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[log]: what is said, and how."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["auto", "json", "text", "journald"]


class AlarmsSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[alarms]: who is told when something is wrong."""

    command: Texts


class MetricsSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[metrics]: figures for Prometheus."""

    listen: Annotated[str, Meta(max_length=100)]
    allow_remote: bool


class UnattendedSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[unattended]: what happens when swapd starts and nobody is there."""

    watch_when_locked: bool


class TowersSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[towers]: who watches for us while we are away."""

    claims: Texts
    refunds: Texts
    required: bool
    max_fee_percent: Annotated[int, Meta(ge=1, le=100)]


class TowerSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[tower]: what `swapd tower` keeps, and for whom."""

    key_file: Text | None = None
    clients: Texts
    strangers: Annotated[int, Meta(ge=0, le=10_000)]
    per_stranger: Annotated[int, Meta(ge=1, le=1000)]
    grace_seconds: Annotated[int, Meta(ge=0, le=600)]


class RegtestSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[regtest]: only for tests on a chain of one's own."""

    clock_file: Text | None = None


class Sections(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    network: Literal["mainnet", "testnet", "signet", "regtest"]
    data_dir: Text
    chains: dict[str, ChainSection] = {}
    evm: dict[str, EvmSection] = {}
    p2p: P2pSection
    market: MarketSection
    policy: PolicySection
    control: ControlSection
    recovery: RecoverySection
    log: LogSection
    alarms: AlarmsSection
    metrics: MetricsSection
    unattended: UnattendedSection
    towers: TowersSection
    tower: TowerSection
    regtest: RegtestSection = RegtestSection()
