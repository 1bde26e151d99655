"""Our two accounts on a chain: one that locks, one that claims and refunds, so that a lock that is
stuck never holds up a claim.

Owns: `Account`: its ledger of nonces, building and signing transactions. Must not know: what they
do, when they are sent.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError
from protocol.evm.transactions import EvmTx, parse_evm_tx, txid
from swapd.chains.evm.fees import PER, Fees, GasPrice, split
from swapd.chains.evm.nonces import IsHeld, Nonces, Version
from swapd.ports import ChainError, Memory

LOCKS: Final = 0
CLAIMS: Final = 1
"""Indices of the accounts in the seed."""

Sign = Callable[[bytes], Awaitable[bytes]]
"""Signs a 32-byte digest: r, s, parity."""


class AccountKey(Struct, frozen=True):
    """One account: its address and who signs for it."""

    address: bytes
    sign: Sign


class Call(Struct, frozen=True):
    """What a transaction does: whom it pays or calls, with what, within how much gas. `kind` is a
    word for people and for telling locks from what kills them; `deadline` that of a lock."""

    to: bytes
    value: int
    data: bytes
    gas: int
    kind: str
    deadline: int = 0


class Built(Struct, frozen=True):
    """A signed, journalled transaction, not sent. `fee` is the most it can cost."""

    nonce: int
    version: Version
    fee: int

    @property
    def fee_rate(self) -> int:
        """As the engine counts: wei per 1000 gas."""
        return self.version.most * PER


class Account:
    """One account on one chain."""

    def __init__(self, key: AccountKey, chain_id: int, memory: Memory, is_held: IsHeld) -> None:
        self.key = key
        self.address = key.address
        self._chain_id = chain_id
        self.nonces = Nonces(memory, "0x" + key.address.hex(), is_held)

    async def build(
        self, call: Call, purpose: str, *, used: int, rate: int, price: GasPrice, holds: int = 0
    ) -> Built:
        """A version of the transaction for `purpose`, on the nonce that it has or gets; `used` are
        the chain's, `holds` what it will take of the asset that it is about. Raises ChainError,
        StoreError."""
        nonce = await self.nonces.give(purpose, used, holds=holds)
        return await self.rebuild(call, purpose, nonce, rate=rate, price=price)

    async def rebuild(
        self, call: Call, purpose: str, nonce: int, *, rate: int, price: GasPrice
    ) -> Built:
        """The same on a given nonce: dearer than whatever of that nonce was sent."""
        await self.nonces.load()
        entry = self.nonces.entry(nonce)
        sent = [version.fees for version in entry.versions if version.sent] if entry else []
        fees = split(rate, price, sent)
        version = await self._signed(call, nonce, fees)
        await self.nonces.add(nonce, purpose, version)
        return Built(nonce, version, call.gas * fees.most)

    async def again(self, version: Version, nonce: int, purpose: str, price: GasPrice) -> Built:
        """The same transaction as `version`, dearer."""
        try:
            tx = parse_evm_tx(version.raw).tx
        except DecodeError as error:
            raise ChainError(f"a transaction of ours can't be read: {error}") from None
        call = Call(tx.to, tx.value, tx.data, tx.gas, version.kind, version.deadline)
        return await self.rebuild(call, purpose, nonce, rate=price.next_rate, price=price)

    async def _signed(self, call: Call, nonce: int, fees: Fees) -> Version:
        tx = EvmTx(
            chain_id=self._chain_id,
            nonce=nonce,
            tip=fees.tip,
            most=fees.most,
            gas=call.gas,
            to=call.to,
            value=call.value,
            data=call.data,
        )
        raw = tx.signed(await self.key.sign(tx.digest()))
        return Version(
            txid=txid(raw),
            raw=raw,
            most=fees.most,
            tip=fees.tip,
            deadline=call.deadline,
            kind=call.kind,
        )
