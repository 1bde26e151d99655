"""Owns a shell in which somebody without swapd types: bitcoin-cli and litecoin-cli, no more.

The commands reach one party's nodes as they would on its own machine, with no flags to add.
"""

import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.nodes.binaries import NodeMissingError, cache_dir, find_node
from tests.nodes.node import Node

_CLIENTS = {"BTC": ("bitcoin-cli", "bitcoind"), "LTC": ("litecoin-cli", "litecoind")}


def shell(folder: Path, nodes: Mapping[str, Node]) -> "Shell":
    """A shell whose two programs talk to `nodes` (by ticker). Raises NodeMissingError."""
    folder.mkdir(parents=True)
    for chain, node in nodes.items():
        client, daemon = _CLIENTS[chain]
        where = f"-datadir={node.datadir} -rpcport={node.rpc_port}"
        script = folder / client
        script.write_text(f'#!/bin/sh\nexec {_program(client, daemon)} {where} "$@"\n')
        script.chmod(0o755)
    return Shell(folder)


def _program(client: str, daemon: str) -> str:
    """How to run a client: it lies beside its node, or where ./dev unpacked both."""
    places = [find_node(daemon).parent, Path("/usr/bin")]
    for place in places:
        if (place / client).exists():
            return str(place / client)
    root = cache_dir() / "nodes-1" / "root"
    libraries = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    loaders = sorted(libraries.glob("ld-linux-*"))
    unpacked = root / "usr" / "bin" / client
    if not (loaders and unpacked.exists()):
        raise NodeMissingError(f"{client} is not beside {daemon}: put it there")
    return f"{loaders[0]} --library-path {libraries} {unpacked}"


class Shell:
    """Types commands as they are printed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def type(self, command: str) -> str:
        """What the command prints. Raises AssertionError with its error output."""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env={"PATH": f"{self._folder}", "HOME": str(self._folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command[:80]}: {done.stderr or done.stdout}"
        return done.stdout.strip()

    def refuses(self, command: str) -> str:
        """What the command complains of. Raises AssertionError when it succeeds."""
        try:
            printed = self.type(command)
        except AssertionError as error:
            return str(error)
        raise AssertionError(f"{command[:80]} printed {printed}")
