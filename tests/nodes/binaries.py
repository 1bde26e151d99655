"""Owns where nodes and EVM tools are found: environment, PATH, then what ./dev fetched.

A missing node is an error that says what to do, never a reason to skip.
"""

import os
import shutil
from pathlib import Path

_DEBIAN_LITECOIND = Path("/usr/lib/litecoin/litecoind")  # /usr/bin/litecoind writes into HOME


class NodeMissingError(Exception):
    """No runnable node of this name on this machine."""


def cache_dir() -> Path:
    """The folder in which ./dev keeps nodes; the same rule as in ./dev."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~").expanduser() / ".cache")
    return Path(base) / "swapd"


def find_node(name: str) -> Path:
    """Path of the node `name`: "bitcoind", "litecoind", "anvil"; or of "forge" or "solc".

    Raises:
        NodeMissingError: it is nowhere; the message says what to do.
    """
    variable = f"SWAPD_{name.upper()}"
    named = os.environ.get(variable)
    if named:
        if not os.access(named, os.X_OK):
            raise NodeMissingError(f"{variable}={named} is not an executable file")
        return Path(named)
    if name == "litecoind" and _DEBIAN_LITECOIND.exists():
        return _DEBIAN_LITECOIND
    on_path = None if name == "solc" else shutil.which(name)  # one version of it gives our bytes
    if on_path:
        return Path(on_path)
    for fetched in ("nodes-1/bin", f"evm-1/{name}/bin"):
        if (path := cache_dir() / fetched / name).exists():
            return path
    raise NodeMissingError(
        f"{name} is missing: run './dev setup' (Debian), put {name} on PATH, or set {variable}"
    )
