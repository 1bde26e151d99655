"""Whether others can reach us, as far as one can tell from here.

Must not know: libp2p.
"""

import ipaddress
import socket
from collections.abc import Sequence

from swapd.doctor.findings import Finding, Severity, finding
from swapd.ports import PeerInfo


def addresses(told: Sequence[str], *, announce: Sequence[str], is_test: bool) -> list[Finding]:
    """Our multiaddresses: `told` are those we listen on, `announce` those we say we have."""
    if not told and not announce:
        return []
    if any(is_public(address) for address in (*told, *announce)):
        return []
    severity = Severity.INFO if is_test else None
    what = f"we are known by {', '.join(announce or told)[:200]}: nobody elsewhere can reach that"
    return [finding("address_private", "network", what, severity=severity)]


def is_public(multiaddr: str) -> bool:
    """Whether it may be reached from anywhere: a name, or an address that is not private."""
    parts = multiaddr.split("/")
    if len(parts) < 3:
        return False
    if parts[1].startswith("dns"):
        return True
    try:
        return ipaddress.ip_address(parts[2]).is_global
    except ValueError:
        return False


def inbound(peers: Sequence[PeerInfo]) -> list[Finding]:
    """Who has come to us."""
    if not peers:
        return [finding("no_peers", "network")]
    return [] if any(peer.inbound for peer in peers) else [finding("no_inbound", "network")]


def ports(listen: Sequence[str]) -> list[Finding]:
    """For a daemon that does not run: whether its ports are free."""
    found = []
    for multiaddr in listen:
        parts = multiaddr.split("/")
        if len(parts) < 5 or parts[3] != "tcp" or not parts[4].isdecimal() or parts[4] == "0":
            continue
        family = socket.AF_INET6 if parts[1] == "ip6" else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((parts[2], int(parts[4])))
            except OSError as error:
                what = f"{multiaddr} can't be listened on: {error.strerror or error}"
                found.append(finding("port_in_use", multiaddr, what))
    return found
