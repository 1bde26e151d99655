"""A lock that the node's wallet remembers, and our journal may not.

Owns: finding it among the wallet's own transactions. Must not know: why it was forgotten.

A wallet keeps what it paid, also after mempools dropped it, and outlives our database. What it says
is checked: the bytes must hash to the txid, pay the agreed amount, and spend its own coins.
"""

from collections.abc import Iterable

from protocol.bitcoin.address import address_of
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.htlc import lock_outputs
from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.tx import MAX_TX_BYTES, OutPoint
from protocol.terms import LegTerms
from swapd.chains.answers import block_hash, flag, raw_hex, rows, table, text, whole
from swapd.chains.leg_watch import SeenTx, htlc_of, read_tx
from swapd.chains.rpc import RpcError
from swapd.chains.selection import is_usable
from swapd.chains.wallet import Wallet
from swapd.ports import Coin, SignedLock, SignedTx

_NOT_IN_WALLET = -5
_OUT_OF_RANGE = -8


async def find(
    wallet: Wallet, params: ChainParams, leg: LegTerms, hashlock: bytes, since_height: int
) -> SignedLock | None:
    """The dearest transaction of `wallet` that pays the leg its exact amount and may still stand.
    Raises ChainError."""
    htlc, found = htlc_of(leg, hashlock), []
    for txid in await _paid(wallet, since_height):
        seen = await _transaction(wallet, txid)
        if seen is None:
            continue
        units = {index: seen.tx.outputs[index].amount for index in lock_outputs(seen.tx, htlc)}
        exact = [index for index, paid in units.items() if paid == leg.amount.units]
        coins = await _coins(wallet, params, seen) if exact else ()
        if coins:
            found.append(_lock(seen, exact[0], coins))
    return max(found, key=lambda lock: lock.tx.fee, default=None)


async def _paid(wallet: Wallet, since_height: int) -> Iterable[str]:
    """What the wallet paid since that block, and what no block has; also what it was told to
    abandon, because others may still have it. Not what conflicts with a block."""
    try:
        since = [block_hash(await wallet.call("getblockhash", max(0, since_height - 1)))]
    except RpcError as error:
        if error.code != _OUT_OF_RANGE:
            raise
        since = []  # the chain is shorter than it was: everything, then
    listed = rows(table(await wallet.call("listsinceblock", *since)).get("transactions"))
    paid: dict[str, None] = {}
    for item in listed:
        entry = table(item)
        depth = whole(entry.get("confirmations"), -(2**31), 2**31)
        if text(entry.get("category")) == "send" and depth >= 0:
            paid[block_hash(entry.get("txid"))] = None
    return paid


async def _transaction(wallet: Wallet, txid: str) -> SeenTx | None:
    """A transaction of the wallet; None for one that it does not have."""
    try:
        answer = table(await wallet.call("gettransaction", txid))
    except RpcError as error:
        if error.code == _NOT_IN_WALLET:
            return None
        raise
    seen = read_tx(raw_hex(answer.get("hex"), MAX_TX_BYTES))
    return seen if seen is not None and seen.txid == txid else None


async def _coins(wallet: Wallet, params: ChainParams, lock: SeenTx) -> tuple[Coin, ...]:
    """What it spends, if all of it is the wallet's own: only then can we spend it otherwise."""
    coins = []
    for txin in lock.tx.inputs:
        coin = await _own_coin(wallet, params, txin.outpoint)
        if coin is None:
            return ()
        coins.append(coin)
    return tuple(coins)


async def _own_coin(wallet: Wallet, params: ChainParams, outpoint: OutPoint) -> Coin | None:
    parent = await _transaction(wallet, outpoint.txid.hex())
    if parent is None or outpoint.vout >= len(parent.tx.outputs):
        return None
    output = parent.tx.outputs[outpoint.vout]
    if not is_usable(output.script_pubkey):
        return None
    try:
        address = address_of(params, output.script_pubkey)
    except BitcoinError:
        return None
    told = table(await wallet.call("getaddressinfo", address))
    if not flag(told.get("ismine")):
        return None
    return Coin(str(outpoint), output.amount, output.script_pubkey)


def _lock(seen: SeenTx, index: int, coins: tuple[Coin, ...]) -> SignedLock:
    paid = sum(output.amount for output in seen.tx.outputs)
    fee = sum(coin.units for coin in coins) - paid
    refs = tuple(coin.ref for coin in coins)
    signed = SignedTx(seen.raw, seen.txid, fee, fee * 1000 // seen.tx.vsize(), refs)
    return SignedLock(signed, str(OutPoint.of(seen.txid, index)), coins)
