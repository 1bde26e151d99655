"""Every bound of the network in one place, and the part of them that an operator may set.

Owns: sizes, rates, counts and deadlines of the network, for the daemon's side and the child's.
Must not know: libp2p, sockets.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

MAX_MESSAGE: Final = 64 * 1024
"""Bytes of one gossip message and of one channel message."""

MAX_FRAME: Final = 256 * 1024
"""Bytes of one frame between the daemon and its child."""

MAX_TOPIC: Final = 256
MAX_PROTOCOL: Final = 128
MAX_ADDRESS: Final = 512
MAX_ADDRESSES: Final = 16
MAX_PEER_ID: Final = 128
MAX_TEXT: Final = 1024

CHANNEL_QUEUE: Final = 16
"""Messages in flight between daemon and child, for each channel and direction."""

GOSSIP_QUEUE: Final = 1024
"""Gossip messages that wait for the daemon; then the oldest are dropped and counted."""

EVENT_QUEUE: Final = 1024
SERVE_QUEUE: Final = 64
MAX_TOPICS: Final = 1024
MAX_SERVED: Final = 32
MAX_KNOWN_PEERS: Final = 64
MAX_PEERS: Final = 1000
"""Connected peers: a list of all of them fits into one frame."""

MAX_REQUESTS: Final = 128
"""Requests of the daemon that the child works on at once."""

OUTBOX_FRAMES: Final = 16 * 1024
OUTBOX_BYTES: Final = 64 * 1024 * 1024
"""What may wait for the other side of the socket pair. More means that it is stuck."""

MAX_RPC: Final = 1024 * 1024
"""Bytes of one gossipsub frame, as every other implementation has it."""

MAX_SUBSCRIPTIONS: Final = 1024
MAX_MESSAGE_IDS: Final = 1024
MAX_BACKOFF_SECONDS: Final = 600
PEER_QUEUE_FRAMES: Final = 4096
PEER_QUEUE_BYTES: Final = 4 * 1024 * 1024
"""What waits to be gossiped to one slow peer; more is dropped, reconciliation repairs it."""

PENALTY_INVALID: Final = 10
"""For a gossip message that does not validate: an honest peer never forwards one."""

PENALTY_MALFORMED: Final = 60
"""For bytes that are not even a frame."""

PENALTY_REPORTED: Final = 40
"""For what the daemon reports: the third report within a minute is one too many."""

PENALTY_HALF_LIFE_SECONDS: Final = 120.0

CHILD_MEMORY_BYTES: Final = 1024 * 1024 * 1024
PROBE_SECONDS: Final = 10.0
PROBE_TIMEOUT_SECONDS: Final = 30.0
"""A child that does not answer for this long is killed and started again."""

START_TIMEOUT_SECONDS: Final = 30.0
RESTART_FIRST_SECONDS: Final = 0.2
RESTART_CAP_SECONDS: Final = 5.0
RESTART_CALM_SECONDS: Final = 30.0
"""A child that lived this long died of something new: back to the first delay."""

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class NetworkLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may tune. Rates are per second and per connected peer. A quarter of the
    connections is kept for those that we make ourselves."""

    max_connections: Annotated[int, Meta(ge=1, le=MAX_PEERS)] = 512
    inbound_per_ip: Count = 32
    streams_per_connection: Count = 64
    channels_per_peer: Count = 8
    channels_total: Count = 256
    messages_per_second: Count = 200
    messages_burst: Count = 600
    bytes_per_second: Annotated[int, Meta(ge=1, le=2**32)] = 2 * 1024 * 1024
    bytes_burst: Annotated[int, Meta(ge=1, le=2**32)] = 6 * 1024 * 1024
    penalty_limit: Count = 100
    refuse_seconds: Seconds = 600.0
    ping_seconds: Seconds = 20.0
    ping_timeout_seconds: Seconds = 10.0
    dial_timeout_seconds: Seconds = 8.0
    open_timeout_seconds: Seconds = 20.0
    io_timeout_seconds: Seconds = 15.0
    channel_idle_seconds: Seconds = 900.0
    slow_reader_seconds: Seconds = 10.0
    redial_first_seconds: Seconds = 0.5
    redial_cap_seconds: Seconds = 60.0


# ruff: noqa: S101 - what must hold between constants is checked at import
assert MAX_FRAME > MAX_MESSAGE + MAX_TOPIC + MAX_TEXT
assert PEER_QUEUE_BYTES > MAX_RPC > MAX_MESSAGE
assert RESTART_FIRST_SECONDS < RESTART_CAP_SECONDS < RESTART_CALM_SECONDS
assert PROBE_SECONDS < PROBE_TIMEOUT_SECONDS
assert 2 * PENALTY_REPORTED < NetworkLimits().penalty_limit < 2 * PENALTY_MALFORMED
