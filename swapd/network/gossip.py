"""Gossipsub with our rules: what is read, what is believed, what is passed on.

Owns: the subclass of libp2p's Pubsub that reads frames with bounds and rates and believes only
what one synchronous function accepts, and the subclass of its GossipSub router that publishes
without the extras of 0.8.1. Must not know: offers, the daemon, how peers are dialled.

Checks run in this order, cheapest first: frame size, rate of the peer, one topic that we follow,
message size, seen before, signature of the author, the validator. Nothing between "seen before"
and "now it is seen" can be interrupted, so no message is delivered twice (B4).
"""

import time
from collections.abc import Callable
from typing import Final

import structlog
import trio
from google.protobuf.message import DecodeError
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.rpc_queue import RpcQueue
from libp2p.pubsub.validators import signature_validator
from libp2p.utils.varint import encode_uvarint
from msgspec import Struct

from swapd.network.limits import (
    MAX_BACKOFF_SECONDS,
    MAX_MESSAGE,
    MAX_MESSAGE_IDS,
    MAX_RPC,
    MAX_SUBSCRIPTIONS,
    MAX_TOPIC,
    PENALTY_INVALID,
    PENALTY_MALFORMED,
)
from swapd.network.patches import BoundedRpcQueue, reset_quietly

_log = structlog.get_logger("network.gossip")
_READ: Final = 64 * 1024
_BATCH: Final = 48 * 1024
_WRITE_SECONDS: Final = 20.0
_VARINT_BYTES: Final = 5


class Malformed(Exception):
    """A peer sent what no implementation sends."""


class GossipHooks(Struct, frozen=True):
    """What gossip asks of its owner. `validate(topic, data)` is pure and quick; `spend(peer_id,
    messages, bytes)` answers how many seconds to wait before reading on."""

    validate: Callable[[str, bytes], bool]
    deliver: Callable[[str, bytes, str], None]
    misbehaved: Callable[[str, int, str], None]
    spend: Callable[[str, int, int], float]


class SwapGossipSub(GossipSub):
    """Gossipsub 1.1 with a heartbeat of a second and none of the drafts beyond 1.1 (B8, B11)."""

    def __init__(self) -> None:
        super().__init__(
            protocols=[TProtocol(PROTOCOL_ID_V11)],
            degree=8,
            degree_low=6,
            degree_high=64,  # a relay with many leaves forwards to them, or they depend on IHAVE
            heartbeat_interval=1,
            adaptive_gossip_enabled=False,
            spam_protection_enabled=False,
            eclipse_protection_enabled=False,
            do_px=False,
        )

    async def publish(self, msg_forwarder: ID, pubsub_msg: rpc_pb2.Message) -> None:
        """Passes a believed message on: our own to everyone who follows its topic, others' to the
        mesh. Never blocks; what a slow peer's queue does not take is repaired by reconciliation."""
        if self.pubsub is None:
            return
        self.mcache.put(pubsub_msg)
        receivers = set(
            self._get_peers_to_send(
                pubsub_msg.topicIDs, msg_forwarder=msg_forwarder, origin=ID(pubsub_msg.from_id)
            )
        )
        if msg_forwarder == self.pubsub.my_id:
            for topic in pubsub_msg.topicIDs:
                receivers |= self.pubsub.peer_topics.get(topic, set())
        rpc = rpc_pb2.RPC(publish=[pubsub_msg])
        for peer_id in receivers:
            queue = self.pubsub.peer_queues.get(peer_id)
            if queue is not None:
                queue.push(rpc)
        for topic in pubsub_msg.topicIDs:
            self.time_since_last_publish[topic] = int(time.time())

    async def handle_rpc(self, rpc: rpc_pb2.RPC, sender_peer_id: ID) -> None:
        """Control messages of 1.1 about topics that we follow; the rest is ignored, so that names
        a peer invents take no memory (B17). Peer exchange is not followed."""
        if self.pubsub is None:
            return
        control, known = rpc.control, self.pubsub.topic_ids
        for ihave in control.ihave:
            if ihave.topicID in known:
                del ihave.messageIDs[MAX_MESSAGE_IDS:]
                await self.handle_ihave(ihave, sender_peer_id)
        for iwant in control.iwant:
            del iwant.messageIDs[MAX_MESSAGE_IDS:]
            await self.handle_iwant(iwant, sender_peer_id)
        for graft in control.graft:
            if graft.topicID in known:
                await self.handle_graft(graft, sender_peer_id)
        for prune in control.prune:
            if prune.topicID in known:
                del prune.peers[:]
                prune.backoff = min(prune.backoff, MAX_BACKOFF_SECONDS)
                await self.handle_prune(prune, sender_peer_id)

    async def send_recent_messages(self, peer_id: ID, topic: str) -> None:
        """The last seconds of a topic to a peer that has just joined it. Through its queue: libp2p
        writes them beside the queue's own writer, and long frames of the two would interleave."""
        queue = None if self.pubsub is None else self.pubsub.peer_queues.get(peer_id)
        if queue is None:
            return
        for message_id in self.mcache.window(topic):
            message = self.mcache.get(message_id)
            if message is not None:
                queue.push(rpc_pb2.RPC(publish=[message]))

    def forget_expired(self) -> None:
        """Drops the back-offs that are over; libp2p only drops those it happens to ask for."""
        now = int(time.time())
        for topic in list(self.back_off):
            alive = {peer: until for peer, until in self.back_off[topic].items() if until > now}
            if alive:
                self.back_off[topic] = alive
            else:
                del self.back_off[topic]


class SwapPubsub(Pubsub):
    """Signed messages only; read with bounds; believed by our validator only."""

    def __init__(self, host: IHost, router: SwapGossipSub, hooks: GossipHooks) -> None:
        super().__init__(
            host,
            router,
            strict_signing=True,
            validation_cache_size=16,
            max_subscriptions_per_rpc=MAX_SUBSCRIPTIONS,
            max_subscriptions_per_peer=MAX_SUBSCRIPTIONS,
            max_inbound_rpc_size=MAX_RPC,
        )
        self._hooks = hooks
        self._writing = 0

    def is_quiet(self) -> bool:
        """Nothing waits to be written to any peer."""
        queues = self.peer_queues.values()
        waiting = any(isinstance(each, BoundedRpcQueue) and each.waiting for each in queues)
        return not waiting and self._writing == 0

    def _next_seqno(self) -> bytes:
        """Nanoseconds: libp2p starts to count at the second of the start, so a process that is
        restarted after a busy life would reuse numbers, and peers would drop them as seen."""
        self.counter = max(self.counter + 1, time.time_ns())
        return self.counter.to_bytes(8, "big")

    async def continuously_read_stream(self, stream: INetStream) -> None:
        """Reads one peer's frames until its stream ends. Whatever it sends ends here (B1)."""
        peer_id = stream.muxed_conn.peer_id
        try:
            await self._read_frames(stream, peer_id)
        except (Malformed, DecodeError) as error:
            self._hooks.misbehaved(str(peer_id), PENALTY_MALFORMED, f"malformed gossip: {error}")
            await reset_quietly(stream)
            self._handle_dead_peer(peer_id)
        except (BaseLibp2pError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            _log.debug("gossip stream ended", peer=str(peer_id), error=repr(error)[:200])

    async def _read_frames(self, stream: INetStream, peer_id: ID) -> None:
        buffer = bytearray()
        while self.manager.is_running:
            frame = take_frame(buffer, MAX_RPC)
            if frame is None:
                chunk = await stream.read(_READ)
                if not chunk:
                    return
                buffer += chunk
                continue
            rpc = rpc_pb2.RPC()
            rpc.ParseFromString(frame)
            wait = self._hooks.spend(str(peer_id), weight_of(rpc), len(frame))
            if wait > 0:
                await trio.sleep(wait)
            await self._handle_frame(rpc, peer_id)

    async def _handle_frame(self, rpc: rpc_pb2.RPC, peer_id: ID) -> None:
        if len(rpc.subscriptions) > MAX_SUBSCRIPTIONS:
            raise Malformed(f"{len(rpc.subscriptions)} subscriptions in one frame")
        for subscription in rpc.subscriptions:
            if len(subscription.topicid) > MAX_TOPIC:
                raise Malformed("an endless topic name")
            self.handle_subscription(peer_id, subscription)
        for message in rpc.publish:
            if len(message.topicIDs) != 1 or len(message.data) > MAX_MESSAGE:
                self._invalid(peer_id, "not one topic, or over 64 KiB")
            elif message.topicIDs[0] in self.topic_ids:
                await self.push_msg(peer_id, message)
        if rpc.HasField("control"):
            await self.router.handle_rpc(rpc, peer_id)

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """One message, ours or a peer's: believed and passed on, or dropped."""
        message_id = self.get_message_id(msg)
        if self.seen_messages.has(message_id):
            return
        if msg_forwarder != self.my_id:
            if msg.from_id == self.my_id.to_bytes():
                return
            if not self._believable(msg_forwarder, msg):
                return
        self.seen_messages.add(message_id)
        if msg_forwarder != self.my_id:
            self._hooks.deliver(msg.topicIDs[0], msg.data, str(msg_forwarder))
        await self.router.publish(msg_forwarder, msg)

    def _believable(self, forwarder: ID, msg: rpc_pb2.Message) -> bool:
        try:
            signed = signature_validator(msg)
        except Exception as error:  # noqa: BLE001 - a made-up key raises whatever it provokes
            self._invalid(forwarder, f"unusable key: {error!r}"[:200])
            return False
        if not signed:
            self._invalid(forwarder, "not signed by its author")
            return False
        if not self._hooks.validate(msg.topicIDs[0], msg.data):
            self._invalid(forwarder, "refused by the validator")
            return False
        return True

    def _invalid(self, peer_id: ID, why: str) -> None:
        self._hooks.misbehaved(str(peer_id), PENALTY_INVALID, f"invalid gossip: {why}")

    async def handle_sending_messages(
        self, peer_id: ID, stream: INetStream, queue: RpcQueue
    ) -> None:
        """Writes what waits for one peer, several frames at once when several wait."""
        try:
            while True:
                rpc = await queue.pop()
                if rpc is None:
                    return
                self._writing += 1
                try:
                    with trio.fail_after(_WRITE_SECONDS):
                        await stream.write(_batch(rpc, queue))
                finally:
                    self._writing -= 1
        except (BaseLibp2pError, trio.TooSlowError, trio.BrokenResourceError) as error:
            _log.debug("gossip stream failed", peer=str(peer_id), error=repr(error)[:200])
            await reset_quietly(stream)
            self._handle_dead_peer(peer_id)


def _batch(first: rpc_pb2.RPC, queue: RpcQueue) -> bytes:
    batch = bytearray()
    rpc: rpc_pb2.RPC | None = first
    while rpc is not None:
        data = rpc.SerializeToString()
        batch += encode_uvarint(len(data)) + data
        can_continue = isinstance(queue, BoundedRpcQueue) and len(batch) < _BATCH
        rpc = queue.pop_nowait() if can_continue and isinstance(queue, BoundedRpcQueue) else None
    return bytes(batch)


def weight_of(rpc: rpc_pb2.RPC) -> int:
    """How many messages a frame counts for: at least one, so that empty frames cost as well."""
    control = rpc.control
    return max(
        1,
        len(rpc.publish)
        + len(rpc.subscriptions)
        + len(control.ihave)
        + len(control.iwant)
        + len(control.graft)
        + len(control.prune),
    )


def take_frame(buffer: bytearray, limit: int) -> bytes | None:
    """Takes one varint-prefixed frame off the front; None when it is not all there yet.
    Raises Malformed for a length over `limit` or one that does not end."""
    size = 0
    for index in range(min(len(buffer), _VARINT_BYTES)):
        size |= (buffer[index] & 0x7F) << (7 * index)
        if buffer[index] < 0x80:
            break
    else:
        if len(buffer) >= _VARINT_BYTES:
            raise Malformed("a length that does not end")
        return None
    if size > limit:
        raise Malformed(f"a frame of {size} bytes")
    end = index + 1 + size
    if len(buffer) < end:
        return None
    frame = bytes(buffer[index + 1 : end])
    del buffer[:end]
    return frame
