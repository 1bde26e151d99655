"""The peer-to-peer network: parameters and results.

Owns: those shapes and the bounds of each parameter. Must not know: how a call is done.
"""

from typing import Annotated

from msgspec import Meta, Struct

from swapd.api.values import Cursor, IdempotencyKey, Limit, PeerView


class PeerListParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connected peers."""

    cursor: Cursor | None = None
    limit: Limit = 100


class PeerListResult(Struct, frozen=True, kw_only=True):
    """One page, and our own addresses to give to others (each with /p2p/ and our peer id)."""

    peers: tuple[PeerView, ...]
    own_addresses: tuple[str, ...]
    next_cursor: str | None


class PeerConnectParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To whom."""

    address: Annotated[
        str, Meta(description="a multiaddress that ends in /p2p/<peer id>", max_length=500)
    ]
    idempotency_key: IdempotencyKey | None = None


class PeerConnectResult(Struct, frozen=True, kw_only=True):
    """The peer."""

    peer: PeerView


class PeerDisconnectParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From whom."""

    peer_id: Annotated[str, Meta(description="a peer's id", min_length=1, max_length=100)]
    idempotency_key: IdempotencyKey | None = None


class PeerDisconnectResult(Struct, frozen=True, kw_only=True):
    """`disconnected` is False when it was not connected."""

    disconnected: bool
