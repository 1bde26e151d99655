"""Targets: what strangers say to the network process, and addresses they name.

Owns: samples and calls for gossip frames, channel messages, multiaddresses. Must not know: how
inputs are made. In that process an exception is a remote kill.
"""

import ipaddress
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

from google.protobuf.message import DecodeError
from libp2p import new_host
from libp2p.abc import INetStream
from libp2p.crypto.secp256k1 import create_new_key_pair
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils.varint import encode_uvarint
from trio import TooSlowError

from swapd.network.addresses import BadAddress, is_private, parse_address, parse_peer, split_peer
from swapd.network.admission import origin_of
from swapd.network.channels import MessageStream, Overlong
from swapd.network.gossip import (
    GossipHooks,
    Malformed,
    SwapGossipSub,
    SwapPubsub,
    take_frame,
    weight_of,
)
from swapd.network.limits import MAX_MESSAGE, MAX_SUBSCRIPTIONS, NetworkLimits
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target
from tests.fuzz.targets.sockets import PEER

_TOPIC = "swapd/1/" + "ab" * 16
_OTHER = "swapd/1/" + "cd" * 16


def _rpcs() -> list[rpc_pb2.RPC]:
    """What a peer says: subscriptions, messages, control."""
    author = ID.from_string(PEER).to_bytes()
    message = rpc_pb2.Message(
        from_id=author, seqno=b"12345678", data=b"data", topicIDs=[_TOPIC], signature=b"s" * 64,
        key=b"\x08\x02\x12\x21" + b"\x02" * 33,
    )  # fmt: skip
    subscription = rpc_pb2.RPC.SubOpts(subscribe=True, topicid=_TOPIC)
    control = rpc_pb2.ControlMessage(
        ihave=[rpc_pb2.ControlIHave(topicID=_TOPIC, messageIDs=[b"12345678" + author])],
        iwant=[rpc_pb2.ControlIWant(messageIDs=[b"12345678" + author])],
        graft=[rpc_pb2.ControlGraft(topicID=_TOPIC)],
        prune=[rpc_pb2.ControlPrune(topicID=_OTHER, backoff=60)],
    )
    return [
        rpc_pb2.RPC(subscriptions=[subscription]),
        rpc_pb2.RPC(publish=[message]),
        rpc_pb2.RPC(control=control),
        rpc_pb2.RPC(subscriptions=[subscription], publish=[message], control=control),
    ]


def _frames(_: ExitStack) -> Opened:
    """Frames out of a stream: what comes out was really in it, and nothing over the limit."""

    def call(data: bytes) -> object:
        buffer, count = bytearray(data), 0
        while (frame := take_frame(buffer, 5000)) is not None:
            assert len(frame) <= 5000
            assert frame in data
            count += 1
        return None if count else REFUSED

    return Opened([_framed(rpc) for rpc in _rpcs()], call)


def _framed(rpc: rpc_pb2.RPC) -> bytes:
    data = rpc.SerializeToString()
    return encode_uvarint(len(data)) + data


class _Judge:
    """The hooks of gossip, remembering."""

    def __init__(self) -> None:
        self.blamed = 0

    def misbehaved(self, _peer: str, _points: int, _why: str) -> None:
        self.blamed += 1

    def hooks(self) -> GossipHooks:
        return GossipHooks(
            validate=lambda _topic, _data: False,
            deliver=lambda _topic, _data, _peer: None,
            misbehaved=self.misbehaved,
            spend=lambda _peer, _messages, _size: 0.0,
        )


def _nothing(*_: object) -> None:
    pass


def _rpc(_: ExitStack) -> Opened:
    """Whole frames through our pubsub on a host that is not connected: what is kept of them stays
    bounded, and only the two named errors come out."""
    judge = _Judge()
    made: list[SwapPubsub] = []
    # Several, because libp2p limits what it takes of one.
    keys = [create_new_key_pair(bytes([number]) * 32).public_key for number in range(1, 60)]
    senders = [ID.from_pubkey(key) for key in keys]
    count = 0

    def fresh() -> None:
        host = new_host(create_new_key_pair(b"\x05" * 32))
        router = SwapGossipSub()
        pubsub = SwapPubsub(host, router, judge.hooks())
        router.attach(pubsub)
        pubsub.subscribed_topics_receive[_TOPIC] = cast("Any", None)
        # Running, as far as it can tell; what it would start as a task has nobody to talk to.
        pubsub._manager = cast("Any", SimpleNamespace(is_running=True, run_task=_nothing))
        made[:] = [pubsub]

    async def call(data: bytes) -> object:
        nonlocal count
        count += 1
        sender = senders[count // 8 % len(senders)]
        pubsub, before = made[0], judge.blamed
        rpc = rpc_pb2.RPC()
        rpc.ParseFromString(data)
        assert weight_of(rpc) >= 1
        await pubsub._handle_frame(rpc, sender)
        held = sum(sender in peers for peers in pubsub.peer_topics.values())
        assert held <= MAX_SUBSCRIPTIONS
        return REFUSED if judge.blamed > before else None

    harmless = [rpc for rpc in _rpcs() if not rpc.publish]
    return Opened([rpc.SerializeToString() for rpc in harmless], acall=call, fresh=fresh)


class _Stream:
    """A libp2p stream that says these bytes, then ends."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, size: int) -> bytes:
        if not self._data:
            raise StreamEOF("the end")
        taken, self._data = self._data[:size], self._data[size:]
        return taken


def _channel(_: ExitStack) -> Opened:
    """Messages of a direct channel behind their lengths."""
    limits = NetworkLimits()

    async def call(data: bytes) -> object:
        stream = MessageStream(cast("INetStream", _Stream(data)), limits)
        count = 0
        while (message := await stream.receive()) is not None:
            assert len(message) <= MAX_MESSAGE
            assert message in data
            count += 1
        return None if count else REFUSED

    messages = [b"", b"a", b"\x93\x01\x02\x03" * 40]
    whole = b"".join(len(each).to_bytes(4, "big") + each for each in messages)
    return Opened([whole, whole[:5]], acall=call)


_ADDRESSES = (
    f"/ip4/1.2.3.4/tcp/5/p2p/{PEER}",
    f"/ip6/2001:db8::1/tcp/65535/p2p/{PEER}",
    f"/dns4/example.org/tcp/5/p2p/{PEER}",
)


def _addresses(_: ExitStack) -> Opened:
    """Full addresses: what is taken is one spelling of an IP or name, a port and a peer with its
    key in it."""

    def call(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        assert isinstance(origin_of(text), str)
        peer, address = split_peer(text)
        assert str(parse_peer(str(peer))) == str(peer)
        assert parse_address(str(address), names=True) == address
        kind, host = str(address).split("/")[1:3]
        if kind in {"ip4", "ip6"}:
            assert is_private(address) is not ipaddress.ip_address(host).is_global

    return Opened([text.encode() for text in _ADDRESSES], call)


def _peers(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        assert str(parse_peer(text)) == text

    return Opened([PEER.encode()], call)


_BAD_RPC = (Malformed, DecodeError)

TARGETS = (
    Target("gossip.frames", Form.BYTES, _frames, (Malformed,), 6),
    Target("gossip.rpc", Form.BYTES, _rpc, _BAD_RPC, 1),
    Target("channel.messages", Form.BYTES, _channel, (Overlong, TooSlowError), 1),
    Target("address.full", Form.TEXT, _addresses, (BadAddress,), 0.5),
    Target("address.peer", Form.TEXT, _peers, (BadAddress,), 0.5),
)
