"""Owns signing with the keys of one seed: the real `Signer`.

Must not know: the seed file, swaps beyond the names a key is derived from, whether signing is
wise (that is the engine's decision).

Signing takes tens of microseconds, so it runs inline. Each signature is checked before it leaves:
a bit flipped while signing could give the key away.
"""

import hashlib
from collections.abc import Callable

import wallycore
from nacl import bindings
from nacl.exceptions import CryptoError

from protocol.assets import AssetId
from protocol.errors import LocalProtocolError
from protocol.signing import PublicKey, Signature, Tag, is_signed, public_key, sign
from protocol.terms import LegName, Role
from swapd.keys import derive
from swapd.keys.derive import Purpose
from swapd.keys.errors import SigningError
from swapd.keys.secret import Secret
from swapd.ports import Entropy, SealBroken

_NONCE_BYTES = 24
_SEAL_CONTEXT = b"swapd recovery"

_LOW_R_DER_BYTES = 70
"""30 44 02 20 <r> 02 20 <s>: r and s both below 2^255 take at most 32 bytes each."""


class SeedSigner:
    """Signs with keys of `seed` (64 bytes, BIP39). `test_network` keeps the keys of test networks
    apart from mainnet's; `entropy` gives the fresh bytes of each BIP340 signature."""

    def __init__(self, seed: Secret, *, test_network: bool, entropy: Entropy) -> None:
        if len(seed.reveal()) != 64:
            msg = f"a seed has 64 bytes, not {len(seed.reveal())}"
            raise LocalProtocolError(msg)
        self._seed = seed
        self._test_network = test_network
        self._entropy = entropy
        self._keys = {
            purpose: derive.purpose_key(seed, purpose, test_network=test_network)
            for purpose in Purpose
        }

    def __repr__(self) -> str:
        return f"SeedSigner(maker={self.maker_key().hex()})"

    def maker_key(self) -> PublicKey:
        """The x-only key that signs offers, heartbeats and terms."""
        return public_key(self._keys[Purpose.MAKER].reveal())

    async def sign_maker(self, tag: Tag, message: bytes) -> Signature:
        """BIP340 by the maker key. Raises SigningError."""
        return self._bip340(self._keys[Purpose.MAKER], tag, message)

    def taker_key(self, salt: bytes) -> PublicKey:
        """The x-only key of one take; `salt` 32 bytes."""
        return public_key(self._taker(salt).reveal())

    async def sign_taker(self, salt: bytes, tag: Tag, message: bytes) -> Signature:
        """BIP340 by the key of one take. Raises SigningError."""
        return self._bip340(self._taker(salt), tag, message)

    def htlc_key(self, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> bytes:
        """Our 33-byte public key in one leg of one swap."""
        return public_key_of(self._htlc(salt, role, swap_id, leg))

    async def sign_htlc(
        self, salt: bytes, role: Role, swap_id: bytes, leg: LegName, digest: bytes
    ) -> bytes:
        """DER, low R, low S, without a sighash byte. Raises SigningError."""
        return sign_ecdsa(self._htlc(salt, role, swap_id, leg), digest)

    def htlc_secret(self, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> bytes:
        """The private key of `htlc_key`: for a rescue by hand that asks for it, only."""
        return self._htlc(salt, role, swap_id, leg).reveal()

    def hashlock(self, salt: bytes, swap_id: bytes) -> bytes:
        """SHA-256 of the preimage; the preimage does not leave."""
        return hashlib.sha256(self._preimage(salt, swap_id).reveal()).digest()

    def preimage(self, salt: bytes, swap_id: bytes) -> bytes:
        """The 32 bytes that open both legs: only after the reveal is journalled (safety rule 7)."""
        return self._preimage(salt, swap_id).reveal()

    def wallet_key(self, asset: AssetId, index: int) -> bytes:
        """The 33-byte public key of payout address `index`."""
        return public_key_of(derive.wallet_secret(self._seed, asset, index))

    async def sign_wallet(self, asset: AssetId, index: int, digest: bytes) -> bytes:
        """DER, low R, low S, without a sighash byte. Raises SigningError."""
        return sign_ecdsa(derive.wallet_secret(self._seed, asset, index), digest)

    def account_key(self, index: int) -> bytes:
        """The 33-byte public key of one of our accounts on EVM chains."""
        key = derive.account_secret(self._seed, index, test_network=self._test_network)
        return public_key_of(key)

    async def sign_account(self, index: int, digest: bytes) -> bytes:
        """r, s (low) and the parity of the point, 65 bytes. Raises SigningError."""
        key = derive.account_secret(self._seed, index, test_network=self._test_network)
        return sign_recoverable(key, digest)

    def relay_secret(self) -> bytes:
        """The private key of the account that pays gas while we are locked; no swap's coins can be
        moved with it."""
        return derive.relay_secret(self._seed, test_network=self._test_network).reveal()

    def seal(self, data: bytes) -> bytes:
        """A nonce of 24 bytes, then XChaCha20-Poly1305 by the recovery key."""
        nonce = self._entropy(_NONCE_BYTES)
        key = self._keys[Purpose.RECOVERY].reveal()
        return nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            data, _SEAL_CONTEXT, nonce, key
        )

    def unseal(self, sealed: bytes) -> bytes:
        """What was sealed. Raises SealBroken."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        key = self._keys[Purpose.RECOVERY].reveal()
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                rest, _SEAL_CONTEXT, nonce, key
            )
        except (CryptoError, ValueError, TypeError):
            raise SealBroken("sealed by another seed, or damaged") from None

    def network_secret(self, epoch: int) -> bytes:
        """The 32-byte key of the network process in one epoch."""
        return derive.network_secret(self._keys[Purpose.NETWORK], epoch).reveal()

    def _taker(self, salt: bytes) -> Secret:
        return derive.taker_secret(self._keys[Purpose.TAKER], salt)

    def _htlc(self, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> Secret:
        return derive.htlc_secret(self._keys[Purpose.HTLC], salt, role, swap_id, leg)

    def _preimage(self, salt: bytes, swap_id: bytes) -> Secret:
        return derive.preimage(self._keys[Purpose.PREIMAGE], salt, swap_id)

    def _bip340(self, key: Secret, tag: Tag, message: bytes) -> Signature:
        signature = sign(key.reveal(), tag, message, self._entropy(32))
        if not is_signed(public_key(key.reveal()), tag, message, signature):
            raise _fault("BIP340")
        return signature


def public_key_of(key: Secret) -> bytes:
    """33 bytes."""
    return bytes(wallycore.ec_public_key_from_private_key(key.reveal()))


_Raw = Callable[[bytes, bytes], bytes]


def _wally_ecdsa(key: bytes, digest: bytes) -> bytes:
    flags = wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_GRIND_R
    return bytes(wallycore.ec_sig_from_bytes(key, digest, flags))


def sign_ecdsa(key: Secret, digest: bytes, raw: _Raw = _wally_ecdsa) -> bytes:
    """A deterministic (RFC 6979) ECDSA signature in DER with R and S below 2^255 and order / 2.

    `raw` makes the 64-byte signature; tests pass a faulty one. Raises SigningError when what came
    out does not verify or is not low-R.
    """
    if len(digest) != 32:
        msg = f"a digest has 32 bytes, not {len(digest)}"
        raise LocalProtocolError(msg)
    signature = raw(key.reveal(), digest)
    try:
        wallycore.ec_sig_verify(public_key_of(key), digest, wallycore.EC_FLAG_ECDSA, signature)
    except ValueError:
        raise _fault("ECDSA") from None
    der = bytes(wallycore.ec_sig_to_der(signature))
    if signature[0] >= 0x80 or len(der) > _LOW_R_DER_BYTES:
        raise _fault("low-R ECDSA")
    return der


def sign_recoverable(key: Secret, digest: bytes) -> bytes:
    """A deterministic ECDSA signature from which the key can be told: r, s (low), parity. Raises
    SigningError when what came out does not verify, or tells another key."""
    if len(digest) != 32:
        msg = f"a digest has 32 bytes, not {len(digest)}"
        raise LocalProtocolError(msg)
    flags = wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_RECOVERABLE
    found = bytes(wallycore.ec_sig_from_bytes(key.reveal(), digest, flags))
    # libwally writes the header byte of signed messages first: 27, and 4 for a compressed key.
    parity, signature = (found[0] - 27) & 1, found[1:]
    try:
        wallycore.ec_sig_verify(public_key_of(key), digest, wallycore.EC_FLAG_ECDSA, signature)
        told = bytes(wallycore.ec_sig_to_public_key(digest, found))
    except ValueError:
        raise _fault("ECDSA") from None
    if told != public_key_of(key) or (found[0] - 27) & 2:
        raise _fault("recoverable ECDSA")
    return signature + bytes([parity])


def _fault(kind: str) -> SigningError:
    return SigningError(
        f"a fresh {kind} signature failed its own check and was thrown away: "
        "this machine's memory or processor is faulty"
    )
