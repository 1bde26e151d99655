"""Owns the keys of a fake wallet: derived when first wanted, once per owner and process.

Must not know: coins, chains. Same owner, same keys, whoever asks and in whatever order.
"""

import functools
import hashlib
from typing import NamedTuple

import coincurve

from protocol.bitcoin.address import hash160, p2wpkh_script


class WalletKey(NamedTuple):
    """A secret, its 33-byte public key and the P2WPKH script that it unlocks."""

    secret: bytes
    public: bytes
    script: bytes


@functools.lru_cache(maxsize=100_000)
def _key(owner: str, number: int) -> WalletKey:
    secret = hashlib.sha256(f"wallet/{owner}/{number}".encode()).digest()
    public = coincurve.PrivateKey(secret).public_key.format()
    return WalletKey(secret, public, p2wpkh_script(hash160(public)))


class WalletKeys:
    """Those of one owner. `scripts` are the ones that were ever asked for, by number."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._by_script: dict[bytes, WalletKey] = {}

    def key(self, number: int) -> WalletKey:
        """One key; its script is the wallet's from now on."""
        key = _key(self._owner, number)
        self._by_script[key.script] = key
        return key

    def of_script(self, script: bytes) -> WalletKey:
        """Raises KeyError for a script that is not the wallet's."""
        return self._by_script[script]

    @property
    def scripts(self) -> tuple[bytes, ...]:
        """Where coins of the wallet may be."""
        return tuple(self._by_script)


@functools.lru_cache(maxsize=10_000)
def keys_of(owner: str) -> WalletKeys:
    """One set for all `FakeChain`s of an owner: a wallet outlives the daemon that uses it."""
    return WalletKeys(owner)
