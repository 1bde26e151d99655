"""Owns a signer without a seed file: real keys and signatures, made from a name.

Not the derivation of swapd.keys (that one has its own vectors): only its behaviour.
"""

import hashlib

import coincurve
import wallycore

from protocol.assets import AssetId
from protocol.errors import LocalProtocolError
from protocol.signing import PublicKey, Signature, Tag, public_key, sign
from protocol.terms import LegName, Role
from swapd.ports import SealBroken

_AUX = bytes(32)


def _der(secret: bytes, digest: bytes) -> bytes:
    if len(digest) != 32:
        raise LocalProtocolError(f"a digest has 32 bytes, not {len(digest)}")
    flags = wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_GRIND_R
    compact = bytes(wallycore.ec_sig_from_bytes(secret, digest, flags))
    return bytes(wallycore.ec_sig_to_der(compact))


class FakeSigner:
    """Same name, same keys. `revealed` lists the swap ids whose preimage was handed out."""

    def __init__(self, name: str = "alice") -> None:
        self._name = name
        self.revealed: list[bytes] = []

    def _secret(self, purpose: str, *parts: bytes) -> bytes:
        hasher = hashlib.sha256(f"fake/{self._name}/{purpose}".encode())
        for part in parts:
            hasher.update(len(part).to_bytes(2, "big") + part)
        return hasher.digest()

    def _salted(self, purpose: str, salt: bytes, *parts: bytes) -> bytes:
        if len(salt) != 32:
            raise LocalProtocolError(f"a salt has 32 bytes, not {len(salt)}")
        return self._secret(purpose, salt, *parts)

    def _htlc(self, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> bytes:
        if len(swap_id) != 32:
            raise LocalProtocolError(f"a swap id has 32 bytes, not {len(swap_id)}")
        return self._salted("htlc", salt, role.value.encode(), swap_id, leg.value.encode())

    def maker_key(self) -> PublicKey:
        return public_key(self._secret("maker"))

    async def sign_maker(self, tag: Tag, message: bytes) -> Signature:
        return sign(self._secret("maker"), tag, message, _AUX)

    def taker_key(self, salt: bytes) -> PublicKey:
        return public_key(self._salted("taker", salt))

    async def sign_taker(self, salt: bytes, tag: Tag, message: bytes) -> Signature:
        return sign(self._salted("taker", salt), tag, message, _AUX)

    def htlc_key(self, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> bytes:
        return coincurve.PrivateKey(self._htlc(salt, role, swap_id, leg)).public_key.format()

    async def sign_htlc(
        self, salt: bytes, role: Role, swap_id: bytes, leg: LegName, digest: bytes
    ) -> bytes:
        return _der(self._htlc(salt, role, swap_id, leg), digest)

    def htlc_secret(self, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> bytes:
        return self._htlc(salt, role, swap_id, leg)

    def _preimage(self, salt: bytes, swap_id: bytes) -> bytes:
        if len(swap_id) != 32:
            raise LocalProtocolError(f"a swap id has 32 bytes, not {len(swap_id)}")
        return self._salted("preimage", salt, swap_id)

    def hashlock(self, salt: bytes, swap_id: bytes) -> bytes:
        return hashlib.sha256(self._preimage(salt, swap_id)).digest()

    def preimage(self, salt: bytes, swap_id: bytes) -> bytes:
        self.revealed.append(swap_id)
        return self._preimage(salt, swap_id)

    def _wallet(self, asset: AssetId, index: int) -> bytes:
        if not asset.rpartition("/slip44:")[2].isdecimal():
            raise LocalProtocolError(f"no wallet keys for {asset}: not a chain's own coin")
        if not 0 <= index < 2**31:
            raise LocalProtocolError(f"a key index is 0 to 2^31 - 1, not {index}")
        return self._secret("wallet", asset.encode(), index.to_bytes(4, "big"))

    def wallet_key(self, asset: AssetId, index: int) -> bytes:
        return coincurve.PrivateKey(self._wallet(asset, index)).public_key.format()

    async def sign_wallet(self, asset: AssetId, index: int, digest: bytes) -> bytes:
        return _der(self._wallet(asset, index), digest)

    def _account(self, index: int) -> coincurve.PrivateKey:
        if not 0 <= index < 2**31:
            raise LocalProtocolError(f"an account's index is 0 to 2^31 - 1, not {index}")
        return coincurve.PrivateKey(self._secret("account", index.to_bytes(4, "big")))

    def account_key(self, index: int) -> bytes:
        return self._account(index).public_key.format()

    async def sign_account(self, index: int, digest: bytes) -> bytes:
        if len(digest) != 32:
            raise LocalProtocolError(f"a digest has 32 bytes, not {len(digest)}")
        return self._account(index).sign_recoverable(digest, hasher=None)

    def relay_secret(self) -> bytes:
        return self._secret("relay", b"")

    def network_secret(self, epoch: int) -> bytes:
        return self._secret("network", epoch.to_bytes(8, "big"))

    def seal(self, data: bytes) -> bytes:
        """Legible, so that tests can look into it; authenticated like the real one."""
        return self._secret("seal", hashlib.sha256(data).digest()) + data

    def unseal(self, sealed: bytes) -> bytes:
        data = sealed[32:]
        if sealed[:32] != self._secret("seal", hashlib.sha256(data).digest()):
            raise SealBroken("sealed by another seed, or damaged")
        return data
