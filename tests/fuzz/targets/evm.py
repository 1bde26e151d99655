"""Targets: transactions, slots, addresses and names of assets of chains with accounts.

Owns: samples (the vectors of the protocol) and calls. Must not know: how inputs are made.
"""

import json
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import protocol
from protocol.assets import AssetId
from protocol.errors import DecodeError
from protocol.evm.address import checksummed, parse_address, recovered
from protocol.evm.legs import token_of
from protocol.evm.slots import Claimed, Live, Refunded, SlotTerms, live_value, read_slot
from protocol.evm.transactions import parse_evm_tx, txid
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target

_VECTORS: dict[str, Any] = json.loads(
    (Path(protocol.__file__).parent / "vectors" / "evm_legs.json").read_text()
)


def _tx(_: ExitStack) -> Opened:
    """What is taken is written again the same way, and tells who signed it or that nobody did."""

    def call(data: bytes) -> None:
        read = parse_evm_tx(data)
        assert read.tx.signed(read.signature) == data
        assert len(txid(data)) == 64
        assert len(recovered(read.signature, read.tx.digest())) == 20

    return Opened([bytes.fromhex(case["raw"]) for case in _VECTORS["transactions"]], call)


def _slot(_: ExitStack) -> Opened:
    """A value means a swap only if it really shows its terms, preimage or hashlock."""
    case = _VECTORS["slots"][0]
    terms = SlotTerms(
        bytes.fromhex(case["locker"]),
        case["slot"],
        bytes.fromhex(case["receiver"]),
        int(case["units"]),
        case["expiry"],
        bytes.fromhex(case["hashlock"]),
    )

    def call(data: bytes) -> object:
        if len(data) != 32:
            return REFUSED
        match read_slot(terms, data):
            case Claimed(preimage):
                assert sha256(preimage).digest() == terms.hashlock
                assert preimage[1:] == data[1:]
            case Live():
                assert data == live_value(terms)
            case Refunded():
                assert data[1:] == terms.hashlock[1:]
            case _:
                return REFUSED
        return None

    return Opened([bytes.fromhex(value) for value, _ in case["readings"][:3]], call)


def _address(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        address = parse_address(data.decode("utf-8", "replace"))
        assert parse_address(checksummed(address)) == address

    return Opened([b"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", b"0x" + b"ab" * 20], call)


def _asset(_: ExitStack) -> Opened:
    """One name for each token."""

    def call(data: bytes) -> None:
        name = data.decode("utf-8", "replace")
        token = token_of(AssetId(name))
        if token is not None:
            assert name.partition("/")[2] == f"erc20:{checksummed(token)}"

    usdc = b"eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
    return Opened([usdc, b"eip155:1/slip44:60"], call)


_BAD = (DecodeError,)

TARGETS = (
    Target("evm.tx", Form.BYTES, _tx, _BAD, 2),
    Target("evm.slot", Form.BYTES, _slot, _BAD, 1),
    Target("evm.address", Form.TEXT, _address, _BAD, 1),
    Target("evm.asset", Form.TEXT, _asset, _BAD, 1),
)
