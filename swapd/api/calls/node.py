"""What the daemon is and how it stops: parameters and results.

Owns: those shapes and the bounds of each parameter. Must not know: how a call is done.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from swapd.api.calls.alarms import AlarmView
from swapd.api.values import AssetInfo, ChainHealth, IdempotencyKey, SwapId, SwapPhase, UnixTime


class NoParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call without parameters."""


class GetInfoResult(Struct, frozen=True, kw_only=True):
    """Who and what this daemon is. `state` is starting, running, draining, watching (it only
    watches and ends swaps), locked (it waits for its seed's passphrase) or stopping."""

    version: str
    api_version: int
    network: str
    state: str
    now: UnixTime
    started_at: UnixTime
    maker_key: str
    peer_id: str
    listen: tuple[str, ...]
    peers: int
    assets: tuple[AssetInfo, ...]
    open_swaps: int
    own_offers: int
    book_offers: int
    last_backup: UnixTime | None = None
    warnings: tuple[str, ...] = ()


class Problem(Struct, frozen=True, kw_only=True):
    """Something that is wrong. `where` is a part of the daemon or a ticker."""

    where: str
    what: str
    remedy: str


class HealthResult(Struct, frozen=True, kw_only=True):
    """`healthy` when there is no problem at this moment. `alarms` are what holds, flapping damped:
    they begin and end later. `severity` is ok, warning or critical, the worse of both."""

    healthy: bool
    severity: str
    problems: tuple[Problem, ...]
    alarms: tuple[AlarmView, ...]
    chains: tuple[ChainHealth, ...]
    network_up: bool
    peers: int
    open_swaps: int
    next_deadline: UnixTime | None
    safe_unattended_until: UnixTime | None


class HelpParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One method, or all of them."""

    method: Annotated[str, Meta(description="a method's name", max_length=100)] | None = None


class MethodHelp(Struct, frozen=True, kw_only=True):
    """One method in words. `parameters` are lines `name (type, required): description`."""

    name: str
    summary: str
    description: str
    mutating: bool
    paged: bool
    parameters: tuple[str, ...]
    errors: tuple[str, ...]
    cli: str


class HelpResult(Struct, frozen=True, kw_only=True):
    """The methods asked for."""

    methods: tuple[MethodHelp, ...]


class OpenRpcDocument(Struct, frozen=True, kw_only=True):
    """The parts of an OpenRPC document; see https://spec.open-rpc.org."""

    openrpc: str
    info: dict[str, Any]
    methods: tuple[dict[str, Any], ...]
    components: dict[str, Any]


FilePath = Annotated[
    str, Meta(description="a file, from the root of the system", pattern="^/", max_length=4096)
]


class BackupParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to write the copy, in full; by default `backup.sqlite3` in the data directory."""

    path: FilePath | None = None
    idempotency_key: IdempotencyKey | None = None


class BackupResult(Struct, frozen=True, kw_only=True):
    """The copy that was written and read back: its bytes, and how many swaps are in it."""

    path: str
    size: int
    swaps: int
    made_at: UnixTime


class StopParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to stop. No idempotency key: stopping twice is stopping once, and a repetition after a
    restart must not stop the new daemon."""


class StopSwap(Struct, frozen=True, kw_only=True):
    """An open swap at a stop, and until when it is safe with nobody watching."""

    swap_id: SwapId
    phase: SwapPhase
    safe_unattended_until: UnixTime
    explanation: str


class StopResult(Struct, frozen=True, kw_only=True):
    """What a stop leaves behind. The daemon ends after this reply."""

    offers_withdrawn: int
    open_swaps: tuple[StopSwap, ...]
