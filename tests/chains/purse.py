"""Coins of the test's own key, and transactions of any shape and fee made from them.

Owns: `Purse`. Must not know: wallets, which chain or node is under test.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.bitcoin.address import hash160, p2wpkh_script
from protocol.bitcoin.tx import (
    SEQUENCE_RBF,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    sighash_v0,
)
from swapd.ports import BroadcastResult, Coin
from tests.chains.bench import Bench
from tests.chains.htlc import public, sign_with

_names = itertools.count(1)


@dataclass(frozen=True)
class Payment:
    """A signed transaction. `coins` are the purse's outputs of it."""

    raw: bytes
    txid: str
    fee: int
    vsize: int
    coins: tuple[Coin, ...]


class Purse:
    """A key of its own for every test."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._secret = hashlib.sha256(f"purse/{next(_names)}".encode()).digest()
        self._public = public(self._secret)
        self.script = p2wpkh_script(hash160(self._public))

    async def coins(self, count: int, units: int) -> tuple[Coin, ...]:
        """Confirmed ones."""
        [coin] = await self._given(count * units + 100_000 + 100 * count)
        split = await self.spend([coin], fee=coin.units - count * units, outputs=count)
        await self._bench.chain.broadcast(split.raw)
        await self._bench.mine()
        return split.coins

    async def _given(self, units: int) -> list[Coin]:
        txid = await self._bench.pay(self.script, units)
        await self._bench.mine()
        address = self._bench.chain.address_of(self._public)
        refs = [f"{txid}:{index}" for index in range(2)]
        return list(await self._bench.chain.unspent([address], refs))

    async def spend(
        self,
        coins: Sequence[Coin],
        *,
        fee: int,
        outputs: int = 1,
    ) -> Payment:
        """All of `coins` to ourselves in equal parts; the first takes what does not divide."""
        total = sum(coin.units for coin in coins) - fee
        part = total // outputs
        amounts = [total - part * (outputs - 1), *[part] * (outputs - 1)]
        script = self.script
        bare = Transaction(
            2,
            tuple(TxInput(_outpoint(coin.ref), SEQUENCE_RBF) for coin in coins),
            tuple(TxOutput(script, amount) for amount in amounts),
            0,
        )
        tx = await self._signed(bare, coins)
        txid = tx.txid().hex()
        made = tuple(Coin(f"{txid}:{n}", amount, script) for n, amount in enumerate(amounts))
        return Payment(tx.serialise(), txid, fee, tx.vsize(), made)

    async def spend_at(self, coins: Sequence[Coin], *, rate: int) -> Payment:
        """At `rate` base units per 1000 vbytes, a hair above rather than below."""
        probe = await self.spend(coins, fee=0)
        return await self.spend(coins, fee=-(-(probe.vsize + 1) * rate // 1000))

    async def big(self, coin: Coin, *, rate: int) -> Payment:
        """About 93,000 vbytes, most of them dust to ourselves. Put together by hand (BIP143,
        BIP144): the library takes its time over thousands of outputs."""
        dust = 3_000
        vsize, others = 93_081, 3_000 - 1
        fee = -(-vsize * rate // 1000)
        first = coin.units - others * dust - fee
        outputs = _output(first, self.script) + _output(dust, self.script) * others
        outpoint = _outpoint(coin.ref).wire
        sequence = SEQUENCE_RBF.to_bytes(4, "little")
        version, lock_time = (2).to_bytes(4, "little"), bytes(4)
        parts = (
            version,
            _twice(outpoint),
            _twice(sequence),
            outpoint,
            b"\x19" + p2wpkh_script_code(self.script),
            coin.units.to_bytes(8, "little"),
            sequence,
            _twice(outputs),
            lock_time,
            (1).to_bytes(4, "little"),
        )
        signature = await sign_with(self._secret)(_twice(b"".join(parts))) + b"\x01"
        witness = b"\x02" + _sized(signature) + _sized(self._public)
        count = b"\xfd" + (others + 1).to_bytes(2, "little")
        body = b"\x01" + outpoint + b"\x00" + sequence + count + outputs
        plain = version + body + lock_time
        txid = _twice(plain)[::-1].hex()
        weight = 4 * len(plain) + 2 + len(witness)
        assert vsize - 2 <= -(-weight // 4) <= vsize
        raw = version + b"\x00\x01" + body + witness + lock_time
        return Payment(raw, txid, fee, vsize, (Coin(f"{txid}:0", first, self.script),))

    async def send(self, coins: Sequence[Coin], *, fee: int, outputs: int = 1) -> Payment:
        """`spend`, told to the node, which must take it."""
        payment = await self.spend(coins, fee=fee, outputs=outputs)
        answer = await self.submit(payment)
        assert not answer.reason, answer.reason
        return payment

    async def submit(self, payment: Payment) -> BroadcastResult:
        """Told to the node, whatever it says."""
        return await self._bench.chain.broadcast(payment.raw)

    async def _signed(self, bare: Transaction, coins: Sequence[Coin]) -> Transaction:
        sign = sign_with(self._secret)
        code = p2wpkh_script_code(self.script)
        inputs = []
        for index, (txin, coin) in enumerate(zip(bare.inputs, coins, strict=True)):
            signature = await sign(sighash_v0(bare, index, code, coin.units)) + b"\x01"
            inputs.append(TxInput(txin.outpoint, txin.sequence, b"", (signature, self._public)))
        return Transaction(bare.version, tuple(inputs), bare.outputs, bare.lock_time)


def _twice(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def _sized(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _output(units: int, script: bytes) -> bytes:
    return units.to_bytes(8, "little") + _sized(script)


def _outpoint(ref: str) -> OutPoint:
    txid, _, index = ref.partition(":")
    return OutPoint.of(txid, int(index))
