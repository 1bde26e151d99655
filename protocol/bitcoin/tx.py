"""Transactions as plain values: a small typed facade over libwally.

Owns: `Transaction` and its parts, parsing and serialising, txid and sizes, signature hashes.
Must not know: HTLCs, addresses, nodes.

**Byte order.** `OutPoint.txid` and `Transaction.txid()` are 32 bytes in the order that RPC and
explorers show (`txid.hex()` is what a node prints). Only this module and `OutPoint.wire` reverse.

**MWEB.** A litecoin transaction with an MWEB part is read without it (`mweb` says why that is
right), marked by `Transaction.mweb`, and never serialised again.

libwally accepts trailing bytes and non-minimal lengths; what it read must re-serialise to the same
bytes, else the input is refused. It refuses amounts above 21 million coins on every chain: no
output that large can pay for a swap.
"""

import re
from hashlib import sha256

import wallycore as wally
from msgspec import Struct

from protocol.bitcoin.errors import TransactionError
from protocol.bitcoin.mweb import Mweb as Mweb  # noqa: PLC0414 - a field's type: exported again
from protocol.bitcoin.mweb import drop_mweb

MAX_TX_BYTES = 4_000_000
"""The largest transaction a block can hold."""

SIGHASH_DEFAULT = 0
SIGHASH_ALL = 1

SEQUENCE_RBF = 0xFFFFFFFD
"""Replaceable (BIP125), nLockTime enforced, no relative lock (bit 31 set)."""

_U32 = 0xFFFFFFFF
_TXID = re.compile(r"[0-9a-f]{64}")


class OutPoint(Struct, frozen=True, order=True):
    """One output of one transaction. `txid` in RPC order. Raises TransactionError if malformed."""

    txid: bytes
    vout: int

    def __post_init__(self) -> None:
        if len(self.txid) != 32:
            msg = f"a txid has 32 bytes, not {len(self.txid)}"
            raise TransactionError(msg)
        if not 0 <= self.vout <= _U32:
            msg = f"an output index is between 0 and 2^32-1, not {self.vout}"
            raise TransactionError(msg)

    @classmethod
    def of(cls, txid: str, vout: int) -> "OutPoint":
        """From what RPC prints. Raises TransactionError unless `txid` is 64 lower hex digits."""
        if not _TXID.fullmatch(txid):
            msg = f"a txid is 64 lower-case hex digits, not {txid[:80]!r}"
            raise TransactionError(msg)
        return cls(bytes.fromhex(txid), vout)

    @property
    def wire(self) -> bytes:
        """36 bytes as in a serialised input: reversed txid, little-endian index."""
        return self.txid[::-1] + self.vout.to_bytes(4, "little")

    def __str__(self) -> str:
        return f"{self.txid.hex()}:{self.vout}"


class TxInput(Struct, frozen=True):
    """One input. An unsigned one has an empty `script_sig` and `witness`."""

    outpoint: OutPoint
    sequence: int
    script_sig: bytes = b""
    witness: tuple[bytes, ...] = ()


class TxOutput(Struct, frozen=True):
    """One output: `amount` in base units of the chain's coin."""

    script_pubkey: bytes
    amount: int


class Transaction(Struct, frozen=True):
    """A transaction. Methods that need libwally raise TransactionError on impossible figures."""

    version: int  # as an unsigned 32-bit number
    inputs: tuple[TxInput, ...]
    outputs: tuple[TxOutput, ...]
    lock_time: int
    mweb: Mweb = Mweb.NONE

    def serialise(self) -> bytes:
        """BIP144 bytes. Raises TransactionError for one whose MWEB part was dropped."""
        if self.mweb is not Mweb.NONE:
            msg = "a transaction whose MWEB part was dropped cannot be serialised again"
            raise TransactionError(msg)
        return bytes(wally.tx_to_bytes(_to_wally(self), wally.WALLY_TX_FLAG_USE_WITNESS))

    def txid(self) -> bytes:
        """32 bytes in RPC order. Witnesses and MWEB parts do not count."""
        return bytes(wally.tx_get_txid(_to_wally(self)))[::-1]

    def wtxid(self) -> bytes:
        """32 bytes in RPC order, witnesses included. Raises TransactionError as `serialise`."""
        return sha256(sha256(self.serialise()).digest()).digest()[::-1]

    def weight(self) -> int:
        """Weight units (BIP141), without an MWEB part."""
        return wally.tx_get_weight(_to_wally(self))

    def vsize(self) -> int:
        """Virtual bytes, rounded up, without an MWEB part."""
        return wally.tx_get_vsize(_to_wally(self))

    @property
    def is_coinbase(self) -> bool:
        """Whether it creates coins: one input, spending nothing."""
        return len(self.inputs) == 1 and self.inputs[0].outpoint == _NO_OUTPOINT

    @property
    def is_hogex(self) -> bool:
        """Whether it is a litecoin block's MWEB summary, as far as its raw bytes tell."""
        return self.mweb is Mweb.HOGEX

    def input_spending(self, outpoint: OutPoint) -> int | None:
        """The index of the input that spends `outpoint`, or None."""
        for index, txin in enumerate(self.inputs):
            if txin.outpoint == outpoint:
                return index
        return None


_NO_OUTPOINT = OutPoint(bytes(32), _U32)


def parse_tx(raw: bytes) -> Transaction:
    """The transaction in `raw`, which must hold exactly that. Raises TransactionError."""
    if len(raw) > MAX_TX_BYTES:
        msg = f"a transaction of {len(raw)} bytes does not fit into a block"
        raise TransactionError(msg)
    plain, mweb = drop_mweb(raw)
    try:
        handle = wally.tx_from_bytes(plain, 0)
        again = wally.tx_to_bytes(handle, wally.WALLY_TX_FLAG_USE_WITNESS)
    except ValueError:
        msg = f"these {len(raw)} bytes are not a transaction"
        raise TransactionError(msg) from None
    if again != plain:
        msg = "not the canonical form of a transaction: trailing bytes or padded lengths"
        raise TransactionError(msg)
    return Transaction(
        version=wally.tx_get_version(handle),
        inputs=tuple(_input(handle, i) for i in range(wally.tx_get_num_inputs(handle))),
        outputs=tuple(_output(handle, i) for i in range(wally.tx_get_num_outputs(handle))),
        lock_time=wally.tx_get_locktime(handle),
        mweb=mweb,
    )


def parse_tx_hex(text: str) -> Transaction:
    """`parse_tx` of hex digits, as RPC returns them. Raises TransactionError."""
    if len(text) > 2 * MAX_TX_BYTES:
        msg = f"a transaction of {len(text)} hex digits does not fit into a block"
        raise TransactionError(msg)
    try:
        # fromhex alone would skip white space, which no node prints.
        raw = bytes.fromhex(text) if text.isalnum() else None
    except ValueError:
        raw = None
    if raw is None:
        msg = f"a raw transaction is hex digits, not {text[:40]!r}"
        raise TransactionError(msg)
    return parse_tx(raw)


def sighash_v0(
    tx: Transaction, index: int, script_code: bytes, amount: int, kind: int = SIGHASH_ALL
) -> bytes:
    """BIP143 hash of input `index`, worth `amount` base units. Raises TransactionError."""
    _check_index(tx, index)
    handle = _to_wally(tx)
    try:
        return bytes(
            wally.tx_get_btc_signature_hash(
                handle, index, script_code, amount, kind, wally.WALLY_TX_FLAG_USE_WITNESS
            )
        )
    except (ValueError, OverflowError):
        msg = f"no signature hash for input {index} worth {amount}"
        raise TransactionError(msg) from None


def sighash_v1(
    tx: Transaction, index: int, prevouts: tuple[TxOutput, ...], kind: int = SIGHASH_DEFAULT
) -> bytes:
    """BIP341 key-path hash of input `index`, no annex; `prevouts` are those of all inputs.

    Raises TransactionError.
    """
    if len(prevouts) != len(tx.inputs):
        msg = f"{len(tx.inputs)} inputs, but {len(prevouts)} outputs that they spend"
        raise TransactionError(msg)
    _check_index(tx, index)
    handle = _to_wally(tx)
    try:
        scripts = wally.map_init(len(prevouts), None)
        for position, prevout in enumerate(prevouts):
            wally.map_add_integer(scripts, position, prevout.script_pubkey)
        amounts = [prevout.amount for prevout in prevouts]
        return bytes(
            wally.tx_get_btc_taproot_signature_hash(
                handle, index, scripts, amounts, None, 0, _U32, None, kind, 0
            )
        )
    except (ValueError, OverflowError):
        msg = f"no taproot signature hash for input {index}"
        raise TransactionError(msg) from None


def _check_index(tx: Transaction, index: int) -> None:
    # libwally answers for inputs that do not exist, as the rules before segwit did.
    if not 0 <= index < len(tx.inputs):
        msg = f"no input {index}: the transaction has {len(tx.inputs)}"
        raise TransactionError(msg)


def p2wpkh_script_code(script_pubkey: bytes) -> bytes:
    """What BIP143 signs for a P2WPKH output. Raises TransactionError for another script."""
    if len(script_pubkey) != 22 or script_pubkey[:2] != b"\x00\x14":
        msg = f"not a P2WPKH script: {script_pubkey[:40].hex()}"
        raise TransactionError(msg)
    return b"\x76\xa9\x14" + script_pubkey[2:] + b"\x88\xac"


def _to_wally(tx: Transaction) -> "wally.Tx":
    try:
        handle = wally.tx_init(tx.version, tx.lock_time, len(tx.inputs), len(tx.outputs))
        for txin in tx.inputs:
            stack = None
            if txin.witness:
                stack = wally.tx_witness_stack_init(len(txin.witness))
                for item in txin.witness:
                    wally.tx_witness_stack_add(stack, item)
            wally.tx_add_raw_input(
                handle,
                txin.outpoint.txid[::-1],
                txin.outpoint.vout,
                txin.sequence,
                txin.script_sig or None,
                stack,
                0,
            )
        for txout in tx.outputs:
            wally.tx_add_raw_output(handle, txout.amount, txout.script_pubkey, 0)
    except (ValueError, OverflowError):
        msg = (
            f"no transaction can be made of {len(tx.inputs)} inputs, outputs of "
            f"{[txout.amount for txout in tx.outputs][:8]}, lock time {tx.lock_time}"
        )
        raise TransactionError(msg) from None
    return handle


def _input(handle: "wally.Tx", index: int) -> TxInput:
    return TxInput(
        outpoint=OutPoint(
            bytes(wally.tx_get_input_txhash(handle, index))[::-1],
            wally.tx_get_input_index(handle, index),
        ),
        sequence=wally.tx_get_input_sequence(handle, index),
        script_sig=bytes(wally.tx_get_input_script(handle, index)),
        witness=tuple(
            bytes(wally.tx_get_input_witness(handle, index, item))
            for item in range(wally.tx_get_input_witness_num_items(handle, index))
        ),
    )


def _output(handle: "wally.Tx", index: int) -> TxOutput:
    return TxOutput(
        script_pubkey=bytes(wally.tx_get_output_script(handle, index)),
        amount=wally.tx_get_output_satoshi(handle, index),
    )
