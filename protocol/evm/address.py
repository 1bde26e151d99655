"""Accounts and contracts by their 20-byte addresses.

Owns: the text form with its checksum, the account of a key, where CREATE2 puts a contract.
Must not know: chains, balances.
Sources: EIP-55 (checksums), EIP-1014 (CREATE2), the yellow paper (accounts).
"""

import re
from typing import Final

import coincurve

from protocol.errors import DecodeError
from protocol.evm.keccak import keccak256

ADDRESS_SIZE: Final = 20

_TEXT: Final = re.compile(r"0x[0-9a-fA-F]{40}")


def checksummed(address: bytes) -> str:
    """0x and 40 digits, capitals by EIP-55. Raises DecodeError."""
    if len(address) != ADDRESS_SIZE:
        msg = f"an address has {ADDRESS_SIZE} bytes, not {len(address)}"
        raise DecodeError(msg)
    digits = address.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit
        for digit, mark in zip(digits, marks, strict=False)
    )


def parse_address(text: str) -> bytes:
    """The 20 bytes of an address whose capitals are right, or which has none. Raises DecodeError
    saying what is wrong."""
    if not _TEXT.fullmatch(text):
        msg = f"an address is 0x and 40 hex digits, not {text[:60]!r}"
        raise DecodeError(msg)
    address = bytes.fromhex(text[2:])
    digits = text[2:]
    if digits not in {digits.lower(), digits.upper()} and text != checksummed(address):
        msg = f"the capitals of {text} do not fit (EIP-55): a digit may be mistyped"
        raise DecodeError(msg)
    return address


def account_of(public_key: bytes) -> bytes:
    """The account of a secp256k1 key in any encoding. Raises DecodeError."""
    try:
        point = coincurve.PublicKey(public_key).format(compressed=False)
    except ValueError:
        msg = "that is no public key of secp256k1"
        raise DecodeError(msg) from None
    return keccak256(point[1:])[12:]


def recovered(signature: bytes, digest: bytes) -> bytes:
    """The account that made a signature (r, s, parity: 65 bytes) of a digest. Raises
    DecodeError."""
    try:
        key = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except (ValueError, Exception) as error:
        msg = "that is no signature of secp256k1"
        raise DecodeError(msg) from error
    return account_of(key.format())


def create2(deployer: bytes, salt: bytes, init_code: bytes) -> bytes:
    """Where a deployer's CREATE2 with a 32-byte salt puts the contract that `init_code` makes."""
    return keccak256(b"\xff" + deployer + salt + keccak256(init_code))[12:]
