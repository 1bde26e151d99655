"""Addresses to scripts and back.

Owns: segwit v0 and v1 addresses (BIP173, BIP350) by the chain's prefix, P2PKH and P2SH (base58
check) as payout destinations, and errors that say what is wrong with an address.
Must not know: HTLCs, wallets.

Refused on purpose: witness versions that no rule of the chain defines yet (anyone could spend
them), taproot programs that are no point of the curve (nobody could), MWEB addresses (a payment
there has no ordinary output), litecoin's old P2SH form, which is also bitcoin's.
Bitcoin's test networks share one prefix, and base58 versions of test networks are shared by both
coins: those addresses tell no more than "a test network".
"""

import enum

import wallycore as wally

from protocol.bitcoin.errors import AddressError
from protocol.bitcoin.params import ALL_CHAINS, ChainParams

MAX_ADDRESS = 130
"""Longer text is refused unread. Ours have 90 characters at most (BIP173), MWEB ones about 120."""


class ScriptKind(enum.Enum):
    """The standard output scripts that we pay to."""

    P2PKH = "p2pkh"
    P2SH = "p2sh"
    P2WPKH = "p2wpkh"
    P2WSH = "p2wsh"
    P2TR = "p2tr"


def script_kind(script_pubkey: bytes) -> ScriptKind | None:
    """Which standard script this is, or None for any other."""
    match len(script_pubkey), script_pubkey[:2]:
        case 22, b"\x00\x14":
            return ScriptKind.P2WPKH
        case 34, b"\x00\x20":
            return ScriptKind.P2WSH
        case 34, b"\x51\x20":
            return ScriptKind.P2TR
        case 23, b"\xa9\x14" if script_pubkey[22:] == b"\x87":
            return ScriptKind.P2SH
        case 25, b"\x76\xa9" if script_pubkey[2] == 0x14 and script_pubkey[23:] == b"\x88\xac":
            return ScriptKind.P2PKH
    return None


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256: 20 bytes."""
    return bytes(wally.hash160(data))


def p2wpkh_script(pubkey_hash: bytes) -> bytes:
    """The script of a 20-byte key hash. Raises AddressError."""
    if len(pubkey_hash) != 20:
        msg = f"a key hash has 20 bytes, not {len(pubkey_hash)}"
        raise AddressError(msg)
    return b"\x00\x14" + pubkey_hash


def address_of(params: ChainParams, script_pubkey: bytes) -> str:
    """The address that pays to this script. Raises AddressError for a script that has none."""
    kind = script_kind(script_pubkey)
    if kind is None:
        msg = f"a script without an address: {script_pubkey[:40].hex()}"
        raise AddressError(msg)
    match kind:
        case ScriptKind.P2WPKH | ScriptKind.P2WSH | ScriptKind.P2TR:
            return wally.addr_segwit_from_bytes(script_pubkey, params.hrp, 0)
        case ScriptKind.P2PKH:
            return _base58_of(params.p2pkh_version, script_pubkey[3:23])
        case ScriptKind.P2SH:
            return _base58_of(params.p2sh_version, script_pubkey[2:22])


def script_of(params: ChainParams, address: str) -> bytes:
    """The script that `address` pays to. Raises AddressError, which says what is wrong with it."""
    if not address or len(address) > MAX_ADDRESS or not address.isascii():
        msg = f"not an address: {address[:MAX_ADDRESS]!r}"
        raise AddressError(msg)
    prefix = address.rpartition("1")[0].lower()
    if prefix == params.hrp:
        return _segwit(params, address)
    owners = [chain for chain in ALL_CHAINS if chain.hrp == prefix]
    if owners:
        raise _wrong_chain(params, address, owners)
    if prefix in {chain.mweb_hrp for chain in ALL_CHAINS if chain.mweb_hrp}:
        msg = f"{address} is an MWEB address; an ordinary one, {_forms(params)}, is needed"
        raise AddressError(msg)
    return _base58(params, address)


def _segwit(params: ChainParams, address: str) -> bytes:
    try:
        script = bytes(wally.addr_segwit_to_bytes(address, params.hrp, 0))
    except ValueError:
        msg = f"{address} is mistyped: its checksum or its form is wrong"
        raise AddressError(msg) from None
    if script_kind(script) is None:
        msg = f"{address} pays to an unknown witness version or length; {_forms(params)} is needed"
        raise AddressError(msg)
    if script[0] == 0x51:
        try:
            wally.ec_xonly_public_key_verify(script[2:])
        except ValueError:
            msg = f"{address} is a taproot address that nobody can spend from"
            raise AddressError(msg) from None
    return script


def _base58(params: ChainParams, address: str) -> bytes:
    try:
        payload = bytes(wally.base58_to_bytes(address, wally.BASE58_FLAG_CHECKSUM))
    except ValueError:
        payload = b""
    if len(payload) != 21:
        msg = f"{address} is not an address, or mistyped; one of {params.title} is {_forms(params)}"
        raise AddressError(msg)
    version, digest = payload[0], payload[1:]
    if version == params.p2pkh_version:
        return b"\x76\xa9\x14" + digest + b"\x88\xac"
    if version == params.p2sh_version:
        return b"\xa9\x14" + digest + b"\x87"
    owners = [chain for chain in ALL_CHAINS if version in {chain.p2pkh_version, chain.p2sh_version}]
    if owners:
        raise _wrong_chain(params, address, owners)
    msg = f"{address} is of a chain we do not know; one of {params.title} is {_forms(params)}"
    raise AddressError(msg)


def _base58_of(version: int, digest: bytes) -> str:
    return wally.base58_from_bytes(bytes([version]) + digest, wally.BASE58_FLAG_CHECKSUM)


def _wrong_chain(params: ChainParams, address: str, owners: list[ChainParams]) -> AddressError:
    titles = " or ".join(chain.title for chain in owners)
    return AddressError(f"{address} is an address of {titles}, but {params.title} is needed")


def _forms(params: ChainParams) -> str:
    return f"{params.hrp}1..."
