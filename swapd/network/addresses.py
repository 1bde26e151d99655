"""Multiaddresses and peer ids: which are well-formed, and which may be dialled for whom.

Owns: their checks. Must not know: sockets, who asks.
"""

import ipaddress
from typing import Final

from libp2p.peer.id import ID
from libp2p.utils.address_validation import get_available_interfaces
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # it ships no types
from multiaddr.exceptions import Error as MultiaddrError  # type: ignore[import-untyped]  # as above

from swapd.network.limits import MAX_ADDRESS, MAX_ADDRESSES, MAX_PEER_ID

__all__ = [
    "BadAddress", "Multiaddr", "is_private", "parse_address", "parse_peer", "reachable",
    "split_peer",
]  # fmt: skip

_NUMERIC: Final = frozenset({"ip4", "ip6"})
_NAMED: Final = frozenset({"dns", "dns4", "dns6"})


class BadAddress(ValueError):
    """Not a multiaddress that we can dial."""


def split_peer(text: str) -> tuple[ID, Multiaddr]:
    """The peer and the transport address of `/ip4/../tcp/../p2p/<peer id>`. Raises BadAddress."""
    head, mark, peer = text.rpartition("/p2p/")
    if not mark:
        raise BadAddress("the address must end in /p2p/<peer id>")
    return parse_peer(peer), parse_address(head, names=True)


def parse_peer(text: str) -> ID:
    """A peer id from its base58 text. Raises BadAddress."""
    if len(text) > MAX_PEER_ID:  # the time that base58 takes grows with the square of its length
        raise BadAddress(f"a peer id of {len(text)} characters")
    try:
        peer_id = ID.from_string(text)
        usable = str(peer_id) == text and peer_id.extract_public_key() is not None
    except Exception as error:
        raise BadAddress(f"{text[:80]!r} is not a peer id") from error
    if not usable:
        raise BadAddress(f"{text[:80]!r} is not a peer id with its key in it")
    return peer_id


def parse_address(text: str, *, names: bool) -> Multiaddr:
    """`/ip4|ip6/<address>/tcp/<port>`, or with a DNS name where `names` allows. A trailing /p2p is
    dropped. Raises BadAddress."""
    text = text.partition("/p2p/")[0]
    parts = text.split("/")
    if len(text) > MAX_ADDRESS or len(parts) != 5 or parts[0] or parts[3] != "tcp":
        raise BadAddress(f"{text[:80]!r} is not of the form /ip4/<address>/tcp/<port>")
    if parts[1] not in (_NUMERIC | _NAMED if names else _NUMERIC):
        raise BadAddress(f"{text[:80]!r}: only IP addresses" + (" and DNS names" if names else ""))
    if not parts[4].isascii() or not parts[4].isdigit() or not 0 <= int(parts[4]) <= 65535:
        raise BadAddress(f"{text[:80]!r} has no valid port")
    try:
        return Multiaddr(text)
    except (MultiaddrError, ValueError) as error:
        raise BadAddress(f"{text[:80]!r}: {error}"[:300]) from error


def is_private(address: Multiaddr) -> bool:
    """Whether a stranger could use this address to make us knock on our own network's doors."""
    parts = str(address).split("/")
    if parts[1] not in _NUMERIC:
        return False
    return not ipaddress.ip_address(parts[2]).is_global


def reachable(listening: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses to tell others: "all interfaces" becomes each of them, loopback last."""
    found: list[str] = []
    for text in listening:
        _, family, ip, _, port = text.split("/")
        if ip not in {"0.0.0.0", "::"}:  # noqa: S104 - this compares, it binds nothing
            found.append(text)
            continue
        interfaces = [str(address) for address in get_available_interfaces(int(port))]
        found += sorted(
            (item for item in interfaces if item.startswith(f"/{family}/")),
            key=lambda item: item.startswith(("/ip4/127.", "/ip6/::1/")),
        )
    return tuple(found[:MAX_ADDRESSES])
