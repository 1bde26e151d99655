"""Which transaction made what stands in a slot: its name for people, its bytes to send it again.

Owns: `Makers`: finding it in the block in which the slot changed. Must not know: what is decided.

None of this is a fact: who asks a block for its transactions believes one endpoint. But bytes that
hash to the name they go by are that transaction, whoever told them, and the worst that a wrong one
does when it is sent again is nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

from protocol.errors import DecodeError
from protocol.evm.keccak import keccak256
from protocol.evm.transactions import EvmTx
from protocol.swap.trimming import MAX_RAW
from swapd.chains.answers import BadAnswer, rows, table
from swapd.chains.evm.answers import Header, amount, data, exactly, quantity
from swapd.chains.evm.contract import LockTerms
from swapd.chains.evm.rpc import MAX_BLOCK, Call
from swapd.chains.evm.sources import Sources
from swapd.ports import NodeUnreachable

MAX_DATA: Final = 256 * 1024
"""Bytes of one transaction's calldata, beyond what any node relays."""

TRIES: Final = 5
"""Times that a block is asked for: it is large, and an endpoint that does not tell may never do."""

Item = Mapping[str, Any]


class Makers:
    """Of one slot. What was found is remembered by its block."""

    def __init__(self, sources: Sources, terms: LockTerms) -> None:
        self._sources = sources
        self._terms = terms
        self._found: dict[tuple[bytes, bytes], Item] = {}
        self._tries: dict[tuple[bytes, bytes], int] = {}
        self._raws: dict[bytes, bytes] = {}

    async def txid(self, block: Header, named: bytes) -> str:
        """The transaction of a block that is about this slot and names the hashlock or the
        preimage; empty where nobody tells."""
        found = await self._item(block, named)
        return "" if found is None else _name(found).hex()

    async def raw(self, block: Header, named: bytes) -> bytes:
        """Its bytes; empty where nobody tells them, or only such as are another's."""
        found = await self._item(block, named)
        if found is None:
            return b""
        name = _name(found)
        if name not in self._raws:
            raw = await self._told(name) or _rebuilt(found, name)
            if not raw:
                return b""
            self._raws[name] = raw
        return self._raws[name]

    async def _item(self, block: Header, named: bytes) -> Item | None:
        key = block.hash, named
        if key not in self._found and self._tries.get(key, 0) < TRIES:
            self._tries[key] = self._tries.get(key, 0) + 1
            about = await self._about(block, named)
            if about:
                # Anybody can name a hashlock that he has seen: the parties' own calls come first.
                self._found[key] = max(about, key=self._likeness)
        return self._found.get(key)

    async def _about(self, block: Header, named: bytes) -> list[Item]:
        """What endpoints tell of the transactions of a block that are about this."""
        asked: Call = ("eth_getBlockByHash", (block.name, True))
        about: list[Item] = []
        for [answer] in await _hints(self._sources, asked):
            try:
                items = [] if answer is None else rows(table(answer).get("transactions"))
                about += [item for item in map(table, items) if self._is_about(item, named)]
            except BadAnswer:
                continue
        return about

    def _is_about(self, tx: Item, named: bytes) -> bool:
        sent = data(tx.get("input"), MAX_DATA)
        slot = bytes([self._terms.swap.slot]) + self._terms.swap.expiry.to_bytes(5, "big")
        exactly(tx.get("hash"), 32)
        return named in sent and slot in sent

    def _likeness(self, tx: Item) -> tuple[bool, bool]:
        swap = self._terms.swap
        parties = {"0x" + swap.locker.hex(), "0x" + swap.receiver.hex()}
        contract = "0x" + self._terms.contract.hex()
        return str(tx.get("from")).lower() in parties, str(tx.get("to")).lower() == contract

    async def _told(self, name: bytes) -> bytes:
        """What an endpoint gives as the bytes of a transaction, if they are."""
        asked: Call = ("eth_getRawTransactionByHash", ("0x" + name.hex(),))
        for [answer] in await _hints(self._sources, asked):
            try:
                raw = data(answer, MAX_RAW)
            except BadAnswer:
                continue
            if keccak256(raw) == name:
                return raw
        return b""


async def _hints(sources: Sources, asked: Call) -> list[list[Any]]:
    """None of them where nobody answers: what is asked here is worth no error."""
    try:
        return await sources.hints(asked, most=MAX_BLOCK)
    except NodeUnreachable:
        return []


def _name(tx: Item) -> bytes:
    return exactly(tx.get("hash"), 32)


def _rebuilt(tx: Item, name: bytes) -> bytes:
    """The bytes of a plain transaction of EIP-1559 from its fields, if they are its bytes: not
    every endpoint gives raw ones."""
    try:
        plain = EvmTx(
            chain_id=quantity(tx.get("chainId")),
            nonce=quantity(tx.get("nonce")),
            tip=amount(tx.get("maxPriorityFeePerGas")),
            most=amount(tx.get("maxFeePerGas")),
            gas=quantity(tx.get("gas")),
            to=exactly(tx.get("to"), 20),
            value=amount(tx.get("value")),
            data=data(tx.get("input"), MAX_RAW),
        )
        parity = quantity(tx.get("yParity", tx.get("v")), 1)
        r, s = amount(tx.get("r")), amount(tx.get("s"))
        raw = plain.signed(r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity]))
    except (BadAnswer, DecodeError):
        return b""
    return raw if keccak256(raw) == name else b""
