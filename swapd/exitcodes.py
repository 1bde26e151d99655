"""Owns the exit codes of `swapd`, so that a service manager can tell "restart" from "hopeless".

Stable: never renumbered, never reused. Listed in config/swapd.example.toml too.
"""

from typing import Final

OK: Final = 0
CRASH: Final = 1
CONFIG: Final = 10
"""The configuration is wrong, or something it names cannot be used."""
ALREADY_LOCKED: Final = 11
"""Another swapd runs in this data directory."""
KEYS: Final = 20
"""Wrong passphrase, no seed file, a damaged one, or wrong words."""
DATABASE: Final = 30
"""The database is newer than this swapd, of another network, or damaged."""
CHAIN: Final = 40
"""A node is of another chain than the configuration says."""
