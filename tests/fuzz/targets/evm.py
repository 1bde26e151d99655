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
from swapd.chains.answers import BadAnswer
from swapd.chains.evm import answers
from swapd.chains.evm.assets import _text as token_text
from swapd.chains.evm.contract import coin_of, parse_coin, shown_preimage
from swapd.chains.evm.rpc import Endpoint
from swapd.ports import ChainError
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target, bounded

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


def _rpc(_: ExitStack) -> Opened:
    """What a node answers to a request: a result, or an error of ours."""
    rpc = Endpoint("http://127.0.0.1:8545", own=True, timeout=1.0)

    def call(data: bytes) -> None:
        rpc._result("eth_something", rpc._decode(data))

    good = {"jsonrpc": "2.0", "id": 1, "result": "0x1"}
    return Opened([json.dumps(good).encode()], call)


def _answers(_: ExitStack) -> Opened:
    """Fields of answers: what is taken is in its range."""

    def call(data: bytes) -> object:
        value = json.loads(data)
        taken = 0
        for read in (answers.header, answers.receipt, answers.word, answers.amount):
            try:
                found = read(value)
            except BadAnswer as error:
                bounded(str(error), 1000)
                continue
            taken += 1
            if isinstance(found, answers.Header):
                assert len(found.hash) == len(found.parent) == 32
            if isinstance(found, bytes):
                assert len(found) == 32
            if isinstance(found, int):
                assert 0 <= found < 2**256
        return taken or REFUSED

    names = ("number", "timestamp", "baseFeePerGas", "gasUsed", "gasLimit")
    block = dict.fromkeys(names, "0x10") | dict.fromkeys(("hash", "parentHash"), "0x" + "ab" * 32)
    mined = {"transactionHash": "0x" + "cd" * 32, "blockHash": "0x" + "ab" * 32}
    mined |= {"blockNumber": "0x5", "status": "0x1"}
    return Opened([json.dumps(each).encode() for each in (block, mined, "0x1f")], call)


def _coin(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        account, nonce = parse_coin(data.decode("utf-8", "replace"))
        assert len(account) <= 20
        assert 0 <= nonce < 10**20

    return Opened([coin_of(b"\xab" * 20, 7).encode()], call)


def _shown(_: ExitStack) -> Opened:
    """A preimage that is found is really there, and opens the hash."""
    preimage = bytes(range(32))
    hashlock = sha256(preimage).digest()

    def call(data: bytes) -> object:
        found = shown_preimage(data, hashlock)
        assert found is None or (found == preimage and preimage in data)
        return REFUSED if found is None else found

    return Opened([b"\x01\x02" + preimage + b"\x03"], call)


def _token(_: ExitStack) -> Opened:
    """The symbol that a token tells."""

    def call(data: bytes) -> None:
        told = token_text(data)
        bounded(told, 256)
        assert told.isprintable()

    word = (32).to_bytes(32, "big") + (4).to_bytes(32, "big") + b"USDC" + bytes(28)
    return Opened([word, b"MKR" + bytes(29)], call)


_BAD = (DecodeError,)
_BAD_ANSWER = (ChainError, ValueError)

TARGETS = (
    Target("evm.rpc", Form.BYTES, _rpc, _BAD_ANSWER, 1),
    Target("evm.answers", Form.BYTES, _answers, (ValueError, RecursionError), 1),
    Target("evm.coin", Form.TEXT, _coin, (ValueError,), 1),
    Target("evm.shown", Form.BYTES, _shown, (), 1),
    Target("evm.token", Form.BYTES, _token, (), 1),
    Target("evm.tx", Form.BYTES, _tx, _BAD, 2),
    Target("evm.slot", Form.BYTES, _slot, _BAD, 1),
    Target("evm.address", Form.TEXT, _address, _BAD, 1),
    Target("evm.asset", Form.TEXT, _asset, _BAD, 1),
)
