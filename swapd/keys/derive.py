"""Owns every derivation from the 64-byte seed: which key is for what. Pure.

Must not know: files, the swap machine, signing.

    m / 1937203568' / network' / purpose'      our own keys ("swap" in ASCII; network' is 0' on
                                               mainnet, 1' on every test network)
        purpose 0'  the maker key itself
        purpose 1'  base key of takers     key  = scalar(base, salt)
        purpose 2'  base key of HTLCs      key  = scalar(base, salt || role || swap id || leg)
        purpose 3'  base key of preimages  HMAC-SHA256(base, salt || "initiator" || swap id)
        purpose 4'  base key of the network process: scalar(base, epoch as 8 bytes)
        purpose 5'  key that seals the recovery file (XChaCha20-Poly1305)
    m / 84' / coin' / 0' / 0 / index           payout addresses (BIP84; coin' by SLIP-44)
    m / 44' / coin' / 0' / 0 / index           accounts on EVM chains (BIP44; coin' is 60' on
                                               mainnet, 1' on test networks): 0 locks, 1 claims
    m / 44' / coin' / 1' / 0 / 0               the account that pays gas while we are locked. Its
                                               key lies on the disk, so it has a hardened level of
                                               its own: it tells nothing of the others

scalar(base, message) is HMAC-SHA256(base, message || n) for the first byte n = 0, 1, ... that gives
a number from 1 to the order of secp256k1 less one. Salts and swap ids have 32 bytes, roles and legs
are the ASCII names of the terms, so no two inputs run into each other. Hardened levels everywhere
but in BIP84's last two: a leaked key of a swap tells nothing of the seed.
Sources: BIP32, BIP44, BIP84, SLIP-44; safety.md rule 6.
"""

import enum
import hashlib
import hmac

import wallycore

from protocol.assets import AssetId
from protocol.errors import LocalProtocolError
from protocol.terms import LegName, Role
from swapd.keys.secret import Secret

SALT_BYTES = 32
SWAP_ID_BYTES = 32
HARDENED = 0x80000000
SWAPD_PURPOSE = 0x73776170
_ETHER = 60
_TEST_COIN = 1
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Purpose(enum.IntEnum):
    """The last level of our own path. Never renumbered: coins hang on it."""

    MAKER = 0
    TAKER = 1
    HTLC = 2
    PREIMAGE = 3
    NETWORK = 4
    RECOVERY = 5


def purpose_key(seed: Secret, purpose: Purpose, *, test_network: bool) -> Secret:
    """The 32-byte key of one purpose."""
    path = [SWAPD_PURPOSE | HARDENED, int(test_network) | HARDENED, purpose | HARDENED]
    return _bip32(seed, path)


def wallet_secret(seed: Secret, asset: AssetId, index: int) -> Secret:
    """The 32-byte key of payout address `index` of a chain's own coin."""
    if not 0 <= index < HARDENED:
        msg = f"a key index is 0 to 2^31 - 1, not {index}"
        raise LocalProtocolError(msg)
    return _bip32(seed, [84 | HARDENED, coin_type(asset) | HARDENED, HARDENED, 0, index])


def account_secret(seed: Secret, index: int, *, test_network: bool) -> Secret:
    """The 32-byte key of one of our accounts, the same on every EVM chain: a transaction names its
    chain. It is where any wallet looks for it that is given the same words."""
    if not 0 <= index < HARDENED:
        msg = f"an account's index is 0 to 2^31 - 1, not {index}"
        raise LocalProtocolError(msg)
    coin = _TEST_COIN if test_network else _ETHER
    return _bip32(seed, [44 | HARDENED, coin | HARDENED, HARDENED, 0, index])


def relay_secret(seed: Secret, *, test_network: bool) -> Secret:
    """The 32-byte key of the account that pays gas while we are locked. Any wallet that is given
    the same words finds what is left in it."""
    coin = _TEST_COIN if test_network else _ETHER
    return _bip32(seed, [44 | HARDENED, coin | HARDENED, 1 | HARDENED, 0, 0])


def coin_type(asset: AssetId) -> int:
    """The SLIP-44 number in a CAIP-19 id. Raises LocalProtocolError for a token."""
    namespace, _, number = asset.partition("/")[2].partition(":")
    if namespace != "slip44" or not number.isascii() or not number.isdecimal():
        msg = f"no wallet keys for {asset}: it is not a chain's own coin"
        raise LocalProtocolError(msg)
    if len(number) > 10 or int(number) >= HARDENED:
        msg = f"no wallet keys for {asset}: its coin type does not fit a BIP32 path"
        raise LocalProtocolError(msg)
    return int(number)


def taker_secret(base: Secret, salt: bytes) -> Secret:
    """The 32-byte key of one take."""
    return _scalar(base, _salt(salt))


def htlc_secret(base: Secret, salt: bytes, role: Role, swap_id: bytes, leg: LegName) -> Secret:
    """Our 32-byte key in one leg of one swap."""
    return _scalar(base, _salted(salt, role, swap_id) + leg.value.encode())


def preimage(base: Secret, salt: bytes, swap_id: bytes) -> Secret:
    """The 32-byte preimage of one swap; only an initiator has one."""
    message = _salted(salt, Role.INITIATOR, swap_id)
    return Secret(hmac.digest(base.reveal(), message, hashlib.sha256))


def network_secret(base: Secret, epoch: int) -> Secret:
    """The 32-byte key of the network process in one epoch: good for secp256k1 and ed25519."""
    if not 0 <= epoch < 2**64:
        msg = f"an epoch has 64 bits and is not negative, not {epoch}"
        raise LocalProtocolError(msg)
    return _scalar(base, epoch.to_bytes(8, "big"))


def _salt(salt: bytes) -> bytes:
    if len(salt) != SALT_BYTES:
        msg = f"a salt has {SALT_BYTES} bytes, not {len(salt)}"
        raise LocalProtocolError(msg)
    return salt


def _salted(salt: bytes, role: Role, swap_id: bytes) -> bytes:
    if len(swap_id) != SWAP_ID_BYTES:
        msg = f"a swap id has {SWAP_ID_BYTES} bytes, not {len(swap_id)}"
        raise LocalProtocolError(msg)
    return _salt(salt) + role.value.encode() + swap_id


def _scalar(base: Secret, message: bytes) -> Secret:
    """See the module's text. A second round happens once in 2^128, and then must work too."""
    for attempt in range(256):
        found = hmac.digest(base.reveal(), message + bytes([attempt]), hashlib.sha256)
        if is_scalar(found):
            return Secret(found)
    raise AssertionError("256 hashes in a row above the group order: HMAC-SHA256 is broken")


def is_scalar(candidate: bytes) -> bool:
    """Whether 32 bytes are a private key of secp256k1."""
    return len(candidate) == 32 and 0 < int.from_bytes(candidate, "big") < _ORDER


def _bip32(seed: Secret, path: list[int]) -> Secret:
    master = wallycore.bip32_key_from_seed(seed.reveal(), wallycore.BIP32_VER_MAIN_PRIVATE, 0)
    flags = wallycore.BIP32_FLAG_KEY_PRIVATE | wallycore.BIP32_FLAG_SKIP_HASH
    child = wallycore.bip32_key_from_parent_path(master, path, flags)
    return Secret(bytes(wallycore.bip32_key_get_priv_key(child)))
