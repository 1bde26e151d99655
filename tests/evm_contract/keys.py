"""Owns accounts that sign: fees of relayers and permits."""

import random

import coincurve

from tests.evm_contract.anvil import keccak


class Key:
    """A secret key and its account, without a zero byte in either, so that figures do not move."""

    def __init__(self, rng: random.Random) -> None:
        while True:
            self.key = coincurve.PrivateKey(bytes(rng.randint(1, 255) for _ in range(32)))
            self.account = keccak(self.key.public_key.format(compressed=False)[1:])[12:]
            if 0 not in self.account:
                return

    def parts(self, digest: bytes) -> tuple[int, bytes, bytes]:
        """v, r and s."""
        signature = self.key.sign_recoverable(digest, hasher=None)
        return 27 + signature[64], signature[:32], signature[32:64]

    def compact(self, digest: bytes) -> bytes:
        """r and s, with the parity in the top bit of s (EIP-2098)."""
        v, r, s = self.parts(digest)
        return r + bytes([s[0] | (v - 27) << 7]) + s[1:]
