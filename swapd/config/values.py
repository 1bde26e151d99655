"""Owns the forms of single values: amounts, pairs, multiaddrs, URLs. Pure.

Must not know: keys, files. Every refusal says what would be right.
"""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from protocol.assets import AssetId, parse_asset
from protocol.errors import DecodeError
from swapd.config.model import NamedAsset, Pair

_DECIMAL = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,30}))?(?: ([A-Za-z]+))?", re.ASCII)
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*\.?", re.ASCII)
_PEER_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{20,80}", re.ASCII)


def parse_amount(text: str, asset: NamedAsset) -> int:
    """Base units of "0.01", "0.01 BTC" or "1000000 units", exactly. Raises ValueError."""
    match = _DECIMAL.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f'{text[:40]!r} is not an amount: write "0.01" for {asset.ticker}, '
            'or "1000000 units" for base units'
        )
    whole, fraction, unit = match[1], (match[2] or "").rstrip("0"), match[3] or asset.ticker
    if unit == "units":
        decimals = 0
    elif unit.upper() == asset.ticker:
        decimals = asset.decimals
    else:
        raise ValueError(f"{text[:40]!r} is an amount of {unit}, not of {asset.ticker}")
    if len(fraction) > decimals:
        raise ValueError(f"{text[:40]!r} is finer than the smallest unit ({decimals} decimals)")
    units = int(whole + fraction.ljust(decimals, "0"))
    if not 0 < units <= asset.most:
        raise ValueError(f"{text[:40]!r} is nothing, or more {asset.ticker} than there is")
    return units


def parse_pair(text: str, known: Sequence[NamedAsset]) -> Pair:
    """ "BTC/LTC", or two CAIP-19 ids with a space between them. Raises ValueError."""
    names = text.split() if " " in text.strip() else text.strip().split("/")
    if len(names) != 2 or not all(names):
        raise ValueError(
            f'{text[:80]!r} is not a pair: write "BTC/LTC", or two CAIP-19 ids with a space'
        )
    base, quote = (_asset(name, known) for name in names)
    if base == quote:
        raise ValueError(f"{text[:80]!r} are twice the same asset")
    return Pair(text.strip(), base, quote)


def _asset(name: str, known: Sequence[NamedAsset]) -> AssetId:
    for asset in known:
        if name.upper() == asset.ticker:
            return asset.asset_id
    if "/" in name:
        try:
            return parse_asset(name)
        except DecodeError as error:
            raise ValueError(error.detail) from None
    tickers = ", ".join(asset.ticker for asset in known)
    raise ValueError(f"unknown asset {name[:40]!r}: write {tickers}, or a CAIP-19 id")


def is_http(url: str) -> bool:
    """Whether a URL can be asked over HTTP. It is in no message: a path may be a password."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def url_problem(url: str) -> str | None:
    """What is wrong with a node's URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        port = parts.port
    except ValueError:
        return "this is no URL; write http://127.0.0.1:8332"
    if parts.username is not None or parts.password is not None:
        return "a password in a URL ends up in logs: use cookie_file, or user and password_file"
    if not usable or port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
        return "write http://host:port and nothing behind it; the wallet has a key of its own"
    return None


def is_exposed(url: str) -> bool:
    """Whether a URL leads to another machine without encryption."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True


def listen_problem(address: str) -> str | None:
    """What is wrong with an address to listen on."""
    parts = address.split("/")
    if not _is_tcp(parts, ("ip4", "ip6"), lowest_port=0):
        return "write /ip4/0.0.0.0/tcp/7927 or /ip6/::/tcp/7927"
    return None


def announce_problem(address: str) -> str | None:
    """What is wrong with an address to tell others."""
    if not _is_tcp(address.split("/"), ("ip4", "ip6", "dns", "dns4", "dns6")):
        return "write /ip4/<address>/tcp/<port> or /dns4/<name>/tcp/<port>, without /p2p"
    return None


def bootstrap_problem(address: str) -> str | None:
    """What is wrong with another daemon's full address."""
    front, marker, peer_id = address.rpartition("/p2p/")
    if not marker or announce_problem(front) is not None or not _PEER_ID.fullmatch(peer_id):
        return "write /ip4/<address>/tcp/<port>/p2p/<peer id>, as the other's getinfo shows it"
    return None


def split_address(text: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:9797" or "[::1]:9797". Raises ValueError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError("write an address and a port, like 127.0.0.1:9797")
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        raise ValueError(f"{host!r} is no IP address; 127.0.0.1 is this machine") from None


def is_local(host: str) -> bool:
    """Whether only this machine can reach that IP address."""
    return ipaddress.ip_address(host).is_loopback


def peer_id_problem(peer_id: str) -> str | None:
    """What is wrong with a peer id."""
    if not _PEER_ID.fullmatch(peer_id):
        return "write the peer id that the client's getinfo shows"
    return None


def _is_tcp(parts: list[str], kinds: tuple[str, ...], lowest_port: int = 1) -> bool:
    """Whether ["", kind, host, "tcp", port] is one of `kinds` with a fitting host and port."""
    if len(parts) != 5 or parts[0] or parts[1] not in kinds or parts[3] != "tcp":
        return False
    kind, host, port = parts[1], parts[2], parts[4]
    if not (port.isascii() and port.isdecimal() and len(port) <= 5):
        return False
    if not lowest_port <= int(port) <= 65535:
        return False
    if kind.startswith("dns"):
        return len(host) <= 253 and _NAME.fullmatch(host) is not None
    try:
        return ipaddress.ip_address(host).version == int(kind[-1])
    except ValueError:
        return False
