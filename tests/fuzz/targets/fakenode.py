"""A node in memory whose every answer can be replaced by a lie.

Owns: a small regtest world (three blocks, a lock, a coin, a mempool) and its good answers. Must
not know: fuzzing. It answers JSON-RPC bodies; there is no HTTP.
"""

import json
from hashlib import sha256
from typing import Any

from protocol.amounts import Amount, Units
from protocol.bitcoin.address import address_of, hash160, p2wpkh_script
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import BITCOIN_REGTEST
from protocol.bitcoin.tx import (
    SEQUENCE_RBF,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    parse_tx,
    sighash_v0,
)
from protocol.terms import Kind, LegTerms, PinnedBlock
from swapd.ports import LegWatch
from tests.protocol.bitcoin.tools import pubkey, sign

PARAMS = BITCOIN_REGTEST
COIN = 100_000_000
NOW = 1_800_000_000
EXPIRY = NOW + 3600
PREIMAGE = sha256(b"shown").digest()
LEG = LegTerms(
    kind=Kind.P2WSH,
    amount=Amount(PARAMS.asset_id, Units(COIN // 10)),
    claim_key=pubkey("claims"),
    refund_key=pubkey("refunds"),
    expiry=EXPIRY,
    depth=2,
    pinned=PinnedBlock(0, bytes.fromhex(PARAMS.genesis)),
)
HTLC = Htlc(LEG.claim_key, LEG.refund_key, sha256(PREIMAGE).digest(), EXPIRY)
_WALLET = p2wpkh_script(hash160(pubkey("wallet")))
ADDRESS = address_of(PARAMS, _WALLET)


def _tx(*inputs: TxInput, pays: tuple[tuple[bytes, int], ...]) -> Transaction:
    outputs = tuple(TxOutput(script, units) for script, units in pays)
    return Transaction(2, inputs, outputs, 0)


def _input(tag: bytes) -> TxInput:
    return TxInput(
        OutPoint(sha256(tag).digest(), 0), SEQUENCE_RBF, b"", (b"\x01" * 71, b"\x02" * 33)
    )


_COINBASE = Transaction(
    1,
    (TxInput(OutPoint(bytes(32), 0xFFFFFFFF), 0xFFFFFFFF, b"\x01\x05"),),
    (TxOutput(_WALLET, 50 * COIN),),
    0,
)
FUNDING = _tx(_input(b"before"), pays=((_WALLET, COIN),))
LOCK = _tx(_input(b"locker"), pays=((HTLC.script_pubkey(), COIN // 10),))
CLAIM = _tx(
    TxInput(
        OutPoint(LOCK.txid(), 0),
        SEQUENCE_RBF,
        b"",
        (PREIMAGE, b"\x30" * 71, HTLC.witness_script()),
    ),
    pays=((_WALLET, COIN // 20),),
)
COIN_REF = f"{FUNDING.txid().hex()}:0"


def watch() -> LegWatch:
    """The leg that is watched: its lock is in block 2, its claim in the mempool."""
    return LegWatch("w", LEG, HTLC.hashlock, 1, (f"{sha256(b'locker').hexdigest()}:0",))


class _Blocks:
    """Raw blocks from the genesis on: only headers and bytes matter to whoever scans."""

    def __init__(self, *contents: tuple[Transaction, ...]) -> None:
        self.names = [PARAMS.genesis]
        self.raw: dict[str, bytes] = {}
        self.transactions: dict[str, tuple[Transaction, ...]] = {}
        for number, content in enumerate(contents):
            header = b"\x04\x00\x00\x00" + bytes.fromhex(self.names[-1])[::-1]
            header += bytes([number]) * 44
            raw = header + bytes([len(content)]) + b"".join(tx.serialise() for tx in content)
            name = sha256(sha256(header).digest()).digest()[::-1].hex()
            self.names.append(name)
            self.raw[name], self.transactions[name] = raw, content


BLOCKS = _Blocks((_COINBASE, FUNDING), (_COINBASE, LOCK), (_COINBASE,))
TIP = BLOCKS.names[-1]

_STATIC: dict[str, Any] = {
    "getblockchaininfo": {
        "chain": "regtest",
        "blocks": 3,
        "headers": 3,
        "bestblockhash": TIP,
        "initialblockdownload": False,
        "pruned": False,
    },
    "getnetworkinfo": {
        "version": 290500,
        "subversion": "/Satoshi:29.5.0/",
        "connections": 10,
        "relayfee": 0.00001,
        "incrementalfee": 0.00001,
    },
    "getmempoolinfo": {
        "loaded": True,
        "size": 1,
        "bytes": 141,
        "mempoolminfee": 0.00001,
        "minrelaytxfee": 0.00001,
        "incrementalrelayfee": 0.00001,
        "fullrbf": True,
    },
    "listwallets": ["w"],
    "getwalletinfo": {"private_keys_enabled": True, "unlocked_until": 1},
    "estimatesmartfee": {"feerate": 0.00012345, "blocks": 2},
    "getblockheader": {
        "hash": TIP,
        "confirmations": 1,
        "height": 3,
        "time": NOW - 10,
        "mediantime": NOW - 60,
        "previousblockhash": BLOCKS.names[-2],
    },
    "getchaintips": [{"height": 3, "hash": TIP, "branchlen": 0, "status": "active"}],
    "getdeploymentinfo": {
        "height": 3,
        "deployments": {
            rule: {"type": "buried", "active": True, "height": 0}
            for rule in ("bip65", "csv", "segwit")
        },
    },
    "getblockcount": 3,
    "getbestblockhash": TIP,
    "waitforblockheight": {"hash": TIP, "height": 3},
    "lockunspent": True,
    "getnewaddress": ADDRESS,
    "getrawchangeaddress": ADDRESS,
    "getmempoolentry": {
        "vsize": 141,
        "weight": 561,
        "time": NOW - 30,
        "height": 3,
        "descendantcount": 1,
        "descendantsize": 141,
        "ancestorcount": 1,
        "ancestorsize": 141,
        "fees": {
            "base": 0.00001,
            "modified": 0.00001,
            "ancestor": 0.00001,
            "descendant": 0.00002,
        },
        "depends": [],
        "spentby": [],
        "bip125-replaceable": True,
        "unbroadcast": False,
    },
    "gettxout": {
        "confirmations": 3,
        "value": 1.0,
        "coinbase": False,
        "scriptPubKey": {"hex": _WALLET.hex()},
    },
    "getrawmempool": [CLAIM.txid().hex()],
    "sendrawtransaction": CLAIM.txid().hex(),
    "testmempoolaccept": [{"txid": CLAIM.txid().hex(), "allowed": True}],
}


def good_answer(body: bytes) -> bytes:
    """What an honest node answers to a call or a batch."""
    asked = json.loads(body)
    answer = [_one(call) for call in asked] if isinstance(asked, list) else _one(asked)
    return json.dumps(answer).encode()


def _one(call: dict[str, Any]) -> dict[str, Any]:
    try:
        result = _result(call["method"], call["params"])
    except LookupError:
        error = {"code": -32601, "message": "Method not found"}
        return {"id": call["id"], "result": None, "error": error}
    return {"id": call["id"], "result": result, "error": None}


def _result(method: str, params: list[Any]) -> Any:
    """Raises LookupError for what this node does not know."""
    match method:
        case "getblockhash":
            return BLOCKS.names[params[0]]
        case "getblock" if params[1] == 0:
            return BLOCKS.raw[params[0]].hex()
        case "getblock":
            return {"tx": [{"hex": tx.serialise().hex()} for tx in BLOCKS.transactions[params[0]]]}
        case "gettxspendingprevout":
            return [_spent(asked) for asked in params[0]]
        case "getrawtransaction":
            return {CLAIM.txid().hex(): CLAIM.serialise().hex()}[params[0]]
        case "listunspent":
            return [_coin()] if params[0] else []
        case "signrawtransactionwithwallet":
            return {"hex": _signed(parse_tx(bytes.fromhex(params[0]))).hex(), "complete": True}
        case _:
            return _STATIC[method]


def _spent(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["txid"] == LOCK.txid().hex():
        return {**asked, "spendingtxid": CLAIM.txid().hex()}
    return asked


def _coin() -> dict[str, Any]:
    txid, _, vout = COIN_REF.partition(":")
    return {
        "txid": txid,
        "vout": int(vout),
        "scriptPubKey": _WALLET.hex(),
        "amount": 1.0,
        "confirmations": 3,
        "spendable": True,
        "solvable": True,
        "safe": True,
    }


def _signed(tx: Transaction) -> bytes:
    """The wallet's signatures on its own coin's inputs."""
    inputs = []
    for index, txin in enumerate(tx.inputs):
        witness: tuple[bytes, ...] = ()
        if str(txin.outpoint) == COIN_REF:
            digest = sighash_v0(tx, index, p2wpkh_script_code(_WALLET), COIN)
            witness = (sign("wallet", digest) + b"\x01", pubkey("wallet"))
        inputs.append(TxInput(txin.outpoint, txin.sequence, txin.script_sig, witness))
    try:
        return Transaction(tx.version, tuple(inputs), tx.outputs, tx.lock_time).serialise()
    except BitcoinError as error:
        raise LookupError(str(error)) from error
