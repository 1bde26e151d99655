"""The first configuration, from questions and from what is found on this machine.

Owns: looking for nodes at their standard places, and writing the file. Must not know: what nodes
say (the daemon checks them), the daemon.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import click
from msgspec import Struct

from swapd import paths
from swapd.cli.output import Output
from swapd.cli.place import NETWORKS
from swapd.config.defaults import defaults

CHAINS = {"btc": ("Bitcoin", "bitcoind"), "ltc": ("Litecoin", "litecoind")}
_SECONDS = 1.0
_SAFEST_FIRST = ("regtest", "signet", "testnet", "mainnet")


class Node(Struct, frozen=True):
    """What is known of one node before anybody talked to it."""

    name: str
    rpc_url: str
    cookie: Path
    answers: bool

    @property
    def has_cookie(self) -> bool:
        """Whether we could log in by its cookie."""
        return os.access(self.cookie, os.R_OK)


def look_for(network: str, name: str, environ: Mapping[str, str]) -> Node:
    """The node of one chain where it is by default. Raises PathError without a home."""
    values = defaults(network, [name], environ)
    url = str(values["chains", name, "rpc_url"])
    cookie = paths.expand(str(values["chains", name, "cookie_file"]), environ, Path.cwd())
    return Node(name, url, cookie, answers(url))


def answers(url: str) -> bool:
    """Whether something accepts connections there."""
    parts = urlsplit(url)
    try:
        port = parts.port or 80
        with socket.create_connection((parts.hostname or "127.0.0.1", port), _SECONDS):
            return True
    except (OSError, ValueError):
        return False


def ask_configuration(out: Output, environ: Mapping[str, str], given: str | None) -> str:
    """The text of a configuration. Raises click.Abort when the questions are broken off."""
    network = given or _ask_network(environ)
    lines = [
        "# Written by `swap-cli guide`; config/swapd.example.toml explains every key.",
        f'network = "{network}"',
    ]
    for name, (coin, program) in CHAINS.items():
        node = look_for(network, name, environ)
        state = "something answers" if node.answers else "nothing answers"
        cookie = "is there" if node.has_cookie else "is not there"
        out.line(f"{coin}: {state} at {node.rpc_url}; the cookie {node.cookie} {cookie}.")
        if not click.confirm(
            f"Do you swap {name.upper()} (with a {program} of yours)?", default=True
        ):
            continue
        lines += ["", f"[chains.{name}]", *_ask_node(out, node)]
    out.line("Another daemon's address lets you see its offers: one that you were given, or that")
    out.line("`swap-cli peer list` prints over there. You can add one later.")
    peer = click.prompt("Address (empty for none)", default="", show_default=False).strip()
    if peer:
        lines += ["", "[p2p]", f"bootstrap = [{_quoted(peer)}]"]
    return "\n".join(lines) + "\n"


def _ask_network(environ: Mapping[str, str]) -> str:
    """Proposes the safest network on which a node of ours is to be found."""
    found = [
        network
        for network in _SAFEST_FIRST
        if any(look_for(network, name, environ).has_cookie for name in CHAINS)
    ]
    chosen: str = click.prompt(
        "Which network? regtest is a game of your own, signet and testnet have worthless coins,\n"
        "mainnet has real ones",
        type=click.Choice(NETWORKS),
        default=found[0] if found else _SAFEST_FIRST[0],
    )
    return chosen


def _ask_node(out: Output, node: Node) -> list[str]:
    lines = []
    url = click.prompt("Its RPC address", default=node.rpc_url)
    if url != node.rpc_url:
        lines.append(f"rpc_url = {_quoted(url)}")
    if node.has_cookie:
        lines.append(f"cookie_file = {_quoted(os.fspath(node.cookie))}")
    else:
        out.line("It writes a cookie file into its data directory at each start; swapd logs in")
        out.line("with that. Or name a user, and a file that holds the password.")
        cookie = click.prompt("Its cookie file (empty for a user)", default=os.fspath(node.cookie))
        if cookie.strip():
            lines.append(f"cookie_file = {_quoted(cookie.strip())}")
        else:
            lines.append(f"user = {_quoted(click.prompt('User'))}")
            lines.append(f"password_file = {_quoted(click.prompt('File with the password'))}")
    wallet = click.prompt("Its wallet that pays for locks", default="swapd")
    lines.append(f"wallet = {_quoted(wallet)}")
    return lines


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write(path: Path, text: str) -> None:
    """A new file, for the owner only. Raises OSError, FileExistsError too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")
