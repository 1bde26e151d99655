"""The P2WSH HTLC: terms to script and back, and whether an output is the agreed lock.

Owns: `Htlc`, its witness script, address, descriptor; `verify_lock`.
Must not know: how it is spent (spends), who we are in the swap, depths.

The script is `wsh(andor(pk(C),sha256(H),and_v(v:pk(R),after(T))))` (safety.md, Script), 118 bytes
for every legal T, because 500,000,000 < T < 2^31 always takes a four-byte push:

    <C> CHECKSIG NOTIF <R> CHECKSIGVERIFY <T> CHECKLOCKTIMEVERIFY
    ELSE SIZE <32> EQUALVERIFY SHA256 <H> EQUAL ENDIF

Nothing is ever read out of a foreign script and believed: a script is rebuilt from its terms and
compared byte by byte.
"""

import enum
from hashlib import sha256
from typing import Final

import wallycore as wally
from coincurve import PublicKey
from msgspec import Struct

from protocol.bitcoin.address import address_of
from protocol.bitcoin.errors import HtlcError
from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.tx import Transaction, TxOutput

WITNESS_SCRIPT_BYTES: Final = 118
PREIMAGE_BYTES: Final = 32

MIN_EXPIRY: Final = 500_000_001
"""Below it CHECKLOCKTIMEVERIFY means a height (BIP65)."""

MAX_EXPIRY: Final = 2**31 - 1
"""From 2^31 on the push would take five bytes."""

_CHECKSIG = b"\xac"
_NOTIF = b"\x64"
_CHECKSIGVERIFY = b"\xad"
_CLTV = b"\xb1"
_ELSE = b"\x67"
_SIZE_32_EQUALVERIFY = b"\x82\x01\x20\x88"
_SHA256 = b"\xa8"
_EQUAL = b"\x87"
_ENDIF = b"\x68"


class Htlc(Struct, frozen=True):
    """The parameters of one lock. `expiry` is unix seconds. Raises HtlcError for illegal ones.

    claim_key: compressed key that spends with the preimage, at any time.
    refund_key: compressed key, another one, that spends from `expiry` on.
    hashlock: SHA-256 of the 32-byte preimage.
    """

    claim_key: bytes
    refund_key: bytes
    hashlock: bytes
    expiry: int

    def __post_init__(self) -> None:
        _check_key("claim", self.claim_key)
        _check_key("refund", self.refund_key)
        # The same point with either sign is signed for by the same secret.
        if self.claim_key[1:] == self.refund_key[1:]:
            msg = "the claim key and the refund key must belong to different secrets"
            raise HtlcError(msg)
        if len(self.hashlock) != 32:
            msg = f"a hashlock has 32 bytes, not {len(self.hashlock)}"
            raise HtlcError(msg)
        if not MIN_EXPIRY <= self.expiry <= MAX_EXPIRY:
            msg = (
                f"an expiry is a unix time between {MIN_EXPIRY} and {MAX_EXPIRY}, not {self.expiry}"
            )
            raise HtlcError(msg)

    def witness_script(self) -> bytes:
        """The 118 bytes whose hash the output commits to."""
        return b"".join(
            (
                _push(self.claim_key),
                _CHECKSIG + _NOTIF,
                _push(self.refund_key),
                _CHECKSIGVERIFY,
                _push(self.expiry.to_bytes(4, "little")),
                _CLTV + _ELSE + _SIZE_32_EQUALVERIFY + _SHA256,
                _push(self.hashlock),
                _EQUAL + _ENDIF,
            )
        )

    def script_pubkey(self) -> bytes:
        """The 34-byte output script."""
        return b"\x00\x20" + sha256(self.witness_script()).digest()

    def address(self, params: ChainParams) -> str:
        """The bech32 address on this chain."""
        return address_of(params, self.script_pubkey())

    def descriptor(self) -> str:
        """The output descriptor with its checksum, as `importdescriptors` wants it."""
        bare = (
            f"wsh(andor(pk({self.claim_key.hex()}),sha256({self.hashlock.hex()}),"
            f"and_v(v:pk({self.refund_key.hex()}),after({self.expiry}))))"
        )
        checksum = wally.descriptor_get_checksum(wally.descriptor_parse(bare, None, 0, 0), 0)
        return f"{bare}#{checksum}"

    def is_preimage(self, preimage: bytes) -> bool:
        """Whether `preimage` is 32 bytes that hash to the hashlock."""
        return len(preimage) == PREIMAGE_BYTES and sha256(preimage).digest() == self.hashlock


def parse_witness_script(script: bytes) -> Htlc:
    """The terms of one of our witness scripts. Raises HtlcError for any other script."""
    if len(script) != WITNESS_SCRIPT_BYTES:
        msg = f"an HTLC script has {WITNESS_SCRIPT_BYTES} bytes, not {len(script)}"
        raise HtlcError(msg)
    htlc = Htlc(
        claim_key=script[1:34],
        refund_key=script[37:70],
        hashlock=script[84:116],
        expiry=int.from_bytes(script[72:76], "little"),
    )
    if htlc.witness_script() != script:
        msg = "the script has the length of an HTLC, but is not one"
        raise HtlcError(msg)
    return htlc


class LockRefusal(enum.Enum):
    """Why an output is not the lock that was agreed. The values are stable names."""

    NO_SUCH_OUTPUT = "no_such_output"
    WRONG_SCRIPT = "wrong_script"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    COINBASE = "coinbase"
    HOGEX = "hogex"


class LockVerified(Struct, frozen=True):
    """The output is the agreed lock, to the byte and the base unit."""

    amount: int


class LockRefused(Struct, frozen=True):
    """It is not. `detail` is for the operator and the log."""

    reason: LockRefusal
    detail: str


def verify_lock(
    output: TxOutput, htlc: Htlc, amount: int, *, coinbase: bool, hogex: bool
) -> LockVerified | LockRefused:
    """Whether `output` locks exactly `amount` base units under `htlc`.

    coinbase, hogex: whether its transaction is one (such outputs cannot be spent for 100 and 6
    blocks, safety.md 3). A node tells the first; the second shows in the raw bytes of the
    transaction (`Transaction.is_hogex`) and as the last transaction of its block.
    """
    if output.script_pubkey != htlc.script_pubkey():
        detail = f"the output pays to {output.script_pubkey[:40].hex()}, not to the agreed script"
        return LockRefused(LockRefusal.WRONG_SCRIPT, detail)
    if output.amount < amount:
        detail = f"{output.amount} base units are locked, {amount - output.amount} too few"
        return LockRefused(LockRefusal.AMOUNT_TOO_SMALL, detail)
    if output.amount > amount:
        detail = f"{output.amount} base units are locked, {output.amount - amount} too many"
        return LockRefused(LockRefusal.AMOUNT_TOO_LARGE, detail)
    if coinbase:
        detail = "the lock is an output of a coinbase transaction, unspendable for 100 blocks"
        return LockRefused(LockRefusal.COINBASE, detail)
    if hogex:
        detail = "the lock is an output of a HogEx transaction, unspendable for 6 blocks"
        return LockRefused(LockRefusal.HOGEX, detail)
    return LockVerified(amount)


def verify_lock_tx(
    tx: Transaction, vout: int, htlc: Htlc, amount: int
) -> LockVerified | LockRefused:
    """`verify_lock` of one output of a whole transaction, which tells coinbase and HogEx itself."""
    if not 0 <= vout < len(tx.outputs):
        detail = f"the transaction has {len(tx.outputs)} outputs, none with index {vout}"
        return LockRefused(LockRefusal.NO_SUCH_OUTPUT, detail)
    return verify_lock(tx.outputs[vout], htlc, amount, coinbase=tx.is_coinbase, hogex=tx.is_hogex)


def lock_outputs(tx: Transaction, htlc: Htlc) -> tuple[int, ...]:
    """The indices of every output of `tx` that pays to this HTLC, whatever its amount."""
    script = htlc.script_pubkey()
    return tuple(i for i, output in enumerate(tx.outputs) if output.script_pubkey == script)


def _push(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _check_key(name: str, key: bytes) -> None:
    if len(key) != 33:
        msg = f"the {name} key has 33 bytes (compressed), not {len(key)}"
        raise HtlcError(msg)
    try:
        PublicKey(key)
    except ValueError:
        msg = f"the {name} key {key.hex()} is not a point of the curve"
        raise HtlcError(msg) from None
