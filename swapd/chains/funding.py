"""Transactions paid from the operator's wallet: locks, kills, splits.

Owns: building them from explicit coins at an exact fee. Must not know: who asks, and why now.

Nothing here broadcasts. Every input is named by us, every output is checked after signing, and the
fee is set from the measured size of the signed transaction.
"""

from collections.abc import Sequence
from typing import Final

import trio

from protocol.bitcoin.address import script_of
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.spends import fee_for
from protocol.bitcoin.tx import SEQUENCE_RBF, Transaction, TxInput, TxOutput
from protocol.terms import LegTerms
from swapd.chains.leg_watch import htlc_of, parse_ref
from swapd.chains.mempool import Mempool
from swapd.chains.rpc import Rpc
from swapd.chains.selection import (
    P2WPKH_SCRIPT_BYTES,
    SETTLED,
    Selection,
    estimate_vsize,
    exactly,
    select,
)
from swapd.chains.wallet import Wallet
from swapd.ports import ChainError, Coin, InsufficientFunds, SignedLock, SignedTx

MAX_SPLIT: Final = 100
_LOCK_SCRIPT_BYTES: Final = 34
_ATTEMPTS: Final = 3
_VERSION: Final = 2


class Funding:
    """Builds and signs what the wallet pays for."""

    def __init__(self, rpc: Rpc, params: ChainParams, wallet: Wallet, mempool: Mempool) -> None:
        self._rpc = rpc
        self._params = params
        self._wallet = wallet
        self._mempool = mempool
        self._choosing = trio.Lock()  # two locks must not choose one coin
        self._kill_scripts: dict[str, bytes] = {}

    async def fund(
        self, leg: LegTerms, hashlock: bytes, fee_rate: int, replaces: SignedLock | None = None
    ) -> SignedLock:
        """A lock of exactly the leg's amount; its coins are held from here on."""
        amount = int(leg.amount.units)
        script = htlc_of(leg, hashlock).script_pubkey()
        if amount < self._params.dust_limit(script):
            raise ChainError(f"{amount} base units are dust on {self._params.title}")
        output = TxOutput(script, amount)
        async with self._choosing:
            only = replaces.coins if replaces is not None else None
            chosen = await self._choose(amount, fee_rate, [_LOCK_SCRIPT_BYTES], only)
            change = await self._wallet.change_script()
            tx, signed = await self._pay(chosen, [output], change, fee_rate)
            await self._wallet.hold(coin.ref for coin in chosen.coins)
        ref = f"{signed.txid}:{tx.outputs.index(output)}"
        return SignedLock(signed, ref, chosen.coins)

    async def cost(self, amount: int, fee_rate: int) -> int:
        """A lock's amount and fee together, from the coins that are free now."""
        async with self._choosing:
            chosen = await self._choose(amount, fee_rate, [_LOCK_SCRIPT_BYTES])
        outputs = [_LOCK_SCRIPT_BYTES, P2WPKH_SCRIPT_BYTES]
        return amount + min(
            chosen.total - amount, fee_for(estimate_vsize(chosen.coins, outputs), fee_rate)
        )

    async def split(self, count: int, each: int, fee_rate: int) -> SignedTx:
        """`count` coins of `each` base units to ourselves. Raises ValueError for bad figures."""
        if not 1 <= count <= MAX_SPLIT:
            msg = f"a split makes 1 to {MAX_SPLIT} coins, not {count}"
            raise ValueError(msg)
        least = self._params.dust_limit(bytes(P2WPKH_SCRIPT_BYTES))
        if each < max(least, 294):
            msg = f"coins of {each} base units are dust; at least {least} each"
            raise ValueError(msg)
        async with self._choosing:
            lengths = [P2WPKH_SCRIPT_BYTES] * count
            chosen = await self._choose(each * count, fee_rate, lengths)
            addresses = [await self._wallet.new_address() for _ in range(count)]
            outputs = [TxOutput(script_of(self._params, address), each) for address in addresses]
            change = await self._wallet.change_script()
            _, signed = await self._pay(chosen, outputs, change, fee_rate)
        return signed

    async def kill(self, lock: SignedLock, fee_rate: int, increment: int) -> SignedTx:
        """All coins of `lock` to a change address of the wallet, at a fee that replaces whatever
        spends them in the mempool now (BIP125: more than all that is replaced, plus the relay of
        the replacement itself). The address stays the same for one lock."""
        if lock.ref not in self._kill_scripts:
            self._kill_scripts[lock.ref] = await self._wallet.change_script()
        script = self._kill_scripts[lock.ref]
        total = sum(coin.units for coin in lock.coins)
        replaced = max(lock.tx.fee, await self._replaced_fees(lock))
        vsize = estimate_vsize(lock.coins, [len(script)])
        fee = max(fee_for(vsize, fee_rate), replaced + fee_for(vsize, increment))
        if total - fee < self._params.dust_limit(script):
            msg = f"killing lock {lock.ref} would take a fee of {fee}, all of its coins' {total}"
            raise ChainError(msg)
        _, signed = await self._signed(lock.coins, [TxOutput(script, total - fee)])
        return signed

    async def _replaced_fees(self, lock: SignedLock) -> int:
        """Fees of the unconfirmed transactions that spend the lock's coins, and of all that
        depends on them: the other side can hang a dear child on our lock."""
        inputs = {parse_ref(coin.ref) for coin in lock.coins}
        rivals = {lock.tx.txid} | {
            seen.txid
            for seen in self._mempool.transactions()
            if any(txin.outpoint in inputs for txin in seen.tx.inputs)
        }
        return sum(entry.fees for entry in (await self._mempool.entries(rivals)).values())

    async def _choose(
        self,
        amount: int,
        fee_rate: int,
        lengths: Sequence[int],
        only: Sequence[Coin] | None = None,
    ) -> Selection:
        """From the free coins, settled ones first, or exactly `only`. Raises WalletLocked;
        InsufficientFunds, telling what is merely not confirmed yet."""
        await self._wallet.require_unlocked()
        if only is not None:
            return exactly(only, amount, fee_rate, lengths)
        free: list[Coin] = []
        for confirmations in (SETTLED, 1):
            free = await self._wallet.free_coins(confirmations)
            chosen = select(free, amount, fee_rate, lengths)
            if chosen is not None:
                return chosen
        confirmed = sum(coin.units for coin in free)
        unconfirmed = await self._wallet.unconfirmed_units()
        fee = fee_for(estimate_vsize(free[:1], lengths), fee_rate)
        ticker = self._params.ticker
        msg = (
            f"not enough confirmed {ticker}: {self._coins(amount)} and a fee of about "
            f"{self._coins(fee)} are needed, {self._coins(confirmed)} are free in native segwit "
            "coins"
        )
        if confirmed + unconfirmed >= amount + fee:
            msg += f"; {self._coins(unconfirmed)} more are unconfirmed: wait for the next block"
        raise InsufficientFunds(msg, confirmed=confirmed, unconfirmed=unconfirmed)

    def _coins(self, units: int) -> str:
        """Base units as whole coins, for people."""
        whole, rest = divmod(units, 10**self._params.decimals)
        return f"{whole}.{rest:0{self._params.decimals}d}".rstrip("0").rstrip(".")

    async def _pay(
        self, chosen: Selection, payments: list[TxOutput], change: bytes, fee_rate: int
    ) -> tuple[Transaction, SignedTx]:
        """Pays, with change where it is worth having, at a fee of the measured size."""
        lengths = [len(output.script_pubkey) for output in payments]
        vsize = estimate_vsize(chosen.coins, [*lengths, len(change)])
        best: tuple[Transaction, SignedTx] | None = None
        for _ in range(_ATTEMPTS):
            outputs = self._with_change(chosen, payments, change, fee_for(vsize, fee_rate))
            tx, signed = await self._signed(chosen.coins, outputs)
            vsize = tx.vsize()
            needed = fee_for(vsize, fee_rate)
            if signed.fee >= needed and (best is None or signed.fee < best[1].fee):
                best = tx, signed
            if signed.fee == needed or len(outputs) == len(payments):
                break
        if best is None:
            raise ChainError("the wallet's signatures are larger than any it should make")
        return best

    def _with_change(
        self, chosen: Selection, payments: list[TxOutput], change: bytes, fee: int
    ) -> list[TxOutput]:
        left = chosen.total - sum(output.amount for output in payments) - fee
        if left < self._params.dust_limit(change):
            return payments
        # Sorted, so that the position does not tell which output is the change.
        return sorted(
            [*payments, TxOutput(change, left)], key=lambda o: (o.amount, o.script_pubkey)
        )

    async def _signed(
        self, coins: Sequence[Coin], outputs: Sequence[TxOutput]
    ) -> tuple[Transaction, SignedTx]:
        unsigned = Transaction(
            version=_VERSION,
            inputs=tuple(TxInput(parse_ref(coin.ref), SEQUENCE_RBF) for coin in coins),
            outputs=tuple(outputs),
            lock_time=0,
        )
        tx, raw = await self._wallet.sign(unsigned)
        fee = sum(coin.units for coin in coins) - sum(output.amount for output in outputs)
        try:
            txid, vsize = tx.txid().hex(), tx.vsize()
        except BitcoinError as error:
            raise ChainError(f"the signed transaction cannot be read: {error}") from None
        refs = tuple(coin.ref for coin in coins)
        return tx, SignedTx(raw, txid, fee, fee * 1000 // vsize, refs)
