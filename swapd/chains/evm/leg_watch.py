"""What one watch finds out about its leg: the lock in its slot, how deep, how it ended.

Owns: `LegState`: reading the contract's own storage at blocks named by their hashes, and where in
the chain it changed. Must not know: tasks, health, how transactions are made.

A slot tells everything but since when: the block in which it changed is found by bisection over the
blocks whose state nodes keep, and remembered by its hash, so that a reorganisation shows. What
can't be told is an error, never a fact.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from protocol.evm.slots import Claimed, Live, Other, Reading, Refunded
from protocol.swap import troubles
from protocol.swap.facts import Conflict, LockSeen, Spend, SpendKind
from swapd.chains.evm.answers import Header, Receipt, quantity, receipt
from swapd.chains.evm.blocks import Blocks
from swapd.chains.evm.contract import LockTerms, coin_of, parse_coin, shown_preimage
from swapd.chains.evm.makers import Makers
from swapd.chains.evm.nonces import Entry, Version
from swapd.chains.evm.reading import read_at
from swapd.chains.evm.rpc import Call
from swapd.chains.evm.sources import Sources, StateUnknown
from swapd.ports import LegWatch, Memory, NodeUnreachable, StoreError

ASKED_VERSIONS: Final = 8
"""Of one nonce, the newest ones, are looked for in mempools and receipts."""


Test = Callable[[Reading], bool]


def live_key(ref: str) -> str:
    """Where it is remembered since which block a lock stands."""
    return f"live:{ref}"


class Pending:
    """What our own ledgers and the mempool say of a leg. Both are hints: they make us wait for or
    hurry with our own transactions, and hold no fact but preimages, which prove themselves."""

    def __init__(
        self, lock: Entry | None, spends: Sequence[Entry], seen: Spend | None = None
    ) -> None:
        self.lock = lock
        self.spends = tuple(spends)
        self.seen = seen


class LegState:
    """Facts of one watch."""

    def __init__(
        self,
        watch: LegWatch,
        terms: LockTerms,
        sources: Sources,
        blocks: Blocks,
        history: int,
        memory: Memory | None = None,
    ) -> None:
        self._memory = memory
        self._remembered = False
        self.watch = watch
        self.terms = terms
        self._sources = sources
        self._blocks = blocks
        self._history = history
        self._live: Header | None = None
        self._spent: tuple[Header, Reading] | None = None
        self._ended: tuple[Header, str] | None = None
        self._makers = Makers(sources, terms)

    async def look(
        self, head: Header, final: Header | None, pending: Pending
    ) -> tuple[tuple[LockSeen, ...], Conflict | None]:
        """The lock and what conflicts with our own, at `head`. Raises ChainError."""
        now = await self._reading(head)
        await self._remember()
        await self._forget_what_left()
        if isinstance(now, Live):
            self._spent = None
            if self._live is None:
                self._live = await self._since(head, head, lambda found: isinstance(found, Live))
                await self._write_down(self._live)
            depth = self._depth(head, self._live, final)
            seen = await self._unconfirmed_spend(pending)
            return (await self._made_lock(depth, seen, self._live),), None
        if isinstance(now, Claimed | Refunded):
            if self._spent is None:
                kind = type(now)
                first = await self._since(head, head, lambda found: isinstance(found, kind))
                self._spent = (first, now)
            if self._live is None:
                self._live = await self._since(
                    head, self._spent[0], lambda found: not isinstance(found, Other)
                )
        elif self._spent is None:
            mined = await self._own_claim(head, final, pending)
            if mined is not None:
                return (mined,), None
            if self._live is None:
                return await self._unlocked(head, final, pending)
            self._spent = await self._overwritten(head, self._live)
        return (await self._spent_lock(head, final, *self._spent),), None

    # --- what was seen before a start ---

    async def _remember(self) -> None:
        """The block in which this lock was seen to have come: after a start the slot may be in use
        for something else, and must not look as if the lock had never been there."""
        if self._memory is None or self._remembered:
            return
        known = await self._memory.get(live_key(self.terms.ref))
        if known is not None and self._live is None:
            block = await self._blocks.at(int.from_bytes(known[:8], "big"))
            self._live = block if block.hash == known[8:] else None
        self._remembered = True

    async def _write_down(self, live: Header) -> None:
        """A disk that is full keeps no fact from anybody."""
        if self._memory is not None:
            value = live.number.to_bytes(8, "big") + live.hash
            with suppress(StoreError):
                await self._memory.put(live_key(self.terms.ref), value)

    # --- the slot ---

    async def _reading(self, block: Header) -> Reading:
        return await read_at(self._sources, block, self.terms)

    async def _forget_what_left(self) -> None:
        if self._live is not None and not await self._blocks.holds(self._live):
            self._live = None
        if self._spent is not None and not await self._blocks.holds(self._spent[0]):
            self._spent = None
        if self._ended is not None and not await self._blocks.holds(self._ended[0]):
            self._ended = None

    async def _since(self, head: Header, last: Header, wanted: Test) -> Header:
        """The first block with such a reading, which `last` has: no deeper below `head` than nodes
        can tell, so that what is older counts as that old at least."""

        async def holds(block: Header) -> bool:
            return wanted(await self._reading(block))

        low = max(self.watch.since_height - 1, head.number - self._history, 0)
        if low >= last.number:
            return last
        # Usually it has just happened: look near the end before going back.
        near = max(low, last.number - 4)
        if near > low and not await holds(await self._blocks.at(near)):
            return await self._blocks.first(near, last, holds)
        oldest = await self._blocks.at(low)
        if await holds(oldest):
            return oldest
        return await self._blocks.first(low, last, holds)

    async def _overwritten(self, head: Header, live: Header) -> tuple[Header, Reading]:
        """Our lock is gone and the slot is in use for something else: what it was right after."""

        async def gone(block: Header) -> bool:
            return not isinstance(await self._reading(block), Live)

        low = max(live.number, head.number - self._history)
        if low == live.number or not await gone(await self._blocks.at(low)):
            first = await self._blocks.first(low, head, gone)
        else:
            try:  # only nodes that keep old states can tell
                first = await self._blocks.first(live.number, await self._blocks.at(low), gone)
            except StateUnknown as error:
                raise NodeUnreachable(self._untold(live, str(error))) from None
        found = await self._reading(first)
        if not isinstance(found, Claimed | Refunded):
            raise NodeUnreachable(self._untold(live, f"it was in block {first.number} itself"))
        return first, found

    def _untold(self, live: Header, why: str) -> str:
        """What is known of a lock whose end nobody tells."""
        slot = f"{self.terms.swap.slot} of 0x{self.terms.swap.locker.hex()}"
        return (
            f"{troubles.END_NOT_TOLD} before it was seen how it ended: it came in block "
            f"{live.number}, in slot {slot}, no claim of ours ended it, and somebody's claim or "
            f"its refund did since ({why})"
        )

    def _depth(self, head: Header, since: Header, final: Header | None) -> int:
        """Confirmations; where the chain says what is final, the agreed depth is reached then and
        not before."""
        depth = head.number - since.number + 1
        agreed = self.watch.leg.depth
        if not self.terms.finalized:
            return depth
        if final is not None and since.number <= final.number:
            return max(depth, agreed)
        return max(1, min(depth, agreed - 1))

    # --- what is seen ---

    def _lock(self, depth: int, spend: Spend | None, txid: str = "", raw: bytes = b"") -> LockSeen:
        return LockSeen(
            ref=self.terms.ref,
            units=int(self.watch.leg.amount.units),
            depth=depth,
            spend=spend,
            raw=raw,
            ours=bool(self.watch.own_inputs),
            txid=txid,
        )

    async def _made_lock(self, depth: int, spend: Spend | None, since: Header) -> LockSeen:
        """With the transaction that made it. The other side's is sent again if it falls out of the
        chain (safety rule 4); of our own the journal has every version."""
        hashlock, ours = self.terms.swap.hashlock, bool(self.watch.own_inputs)
        txid = await self._makers.txid(since, hashlock)
        raw = b"" if ours else await self._makers.raw(since, hashlock)
        return self._lock(depth, spend, txid, raw)

    async def _spent_lock(
        self, head: Header, final: Header | None, block: Header, how: Reading
    ) -> LockSeen:
        depth = self._depth(head, block, final)
        if isinstance(how, Claimed):
            txid = await self._makers.txid(block, how.preimage)
            spend = Spend(SpendKind.CLAIM, txid or block.hash.hex(), depth, how.preimage)
        else:
            txid = await self._makers.txid(block, self.terms.swap.hashlock)
            spend = Spend(SpendKind.REFUND, txid or block.hash.hex(), depth)
        if self._live is None:
            return self._lock(depth, spend)
        deep = max(depth, self._depth(head, self._live, final))
        return await self._made_lock(deep, spend, self._live)

    async def _receipts(self, versions: Sequence[Version]) -> list[Receipt | None]:
        if not versions:
            return []
        calls: list[Call] = [("eth_getTransactionReceipt", ("0x" + v.txid,)) for v in versions]
        answers = await self._sources.told(calls, "receipts")
        return [receipt(each) for each in answers]

    async def _own_claim(
        self, head: Header, final: Header | None, pending: Pending
    ) -> LockSeen | None:
        """The slot tells nothing of this lock any more, but our own claim of it was mined."""
        versions = [v for e in pending.spends if e.purpose.startswith("claim") for v in e.versions]
        sent = [v for v in versions if v.sent][-ASKED_VERSIONS:]
        for version, found in zip(sent, await self._receipts(sent), strict=True):
            if found is None or not found.success or found.number > head.number:
                continue
            block = await self._blocks.at(found.number)
            if block.hash == found.block:
                shown = shown_preimage(version.raw, self.watch.hashlock)
                depth = self._depth(head, block, final)
                return self._lock(depth, Spend(SpendKind.CLAIM, found.txid, depth, shown))
        return None

    async def _unconfirmed_spend(self, pending: Pending) -> Spend | None:
        """A spend that waits for its block: somebody's claim that shows the preimage, or ours."""
        if pending.seen is not None:
            return pending.seen
        for entry in pending.spends:
            waiting = await self._waiting(entry)
            if waiting is None:
                continue
            if entry.purpose.startswith("claim"):
                shown = shown_preimage(waiting.raw, self.watch.hashlock)
                return Spend(SpendKind.CLAIM, waiting.txid, 0, shown)
            return Spend(SpendKind.REFUND, waiting.txid, 0)
        return None

    async def _waiting(self, entry: Entry) -> Version | None:
        """The version of an entry that a node has in its mempool."""
        versions = [v for v in entry.versions if v.sent][-ASKED_VERSIONS:]
        if not versions:
            return None
        calls: list[Call] = [("eth_getTransactionByHash", ("0x" + v.txid,)) for v in versions]
        waiting: Version | None = None
        for answers in await self._sources.hints(*calls):
            for version, answer in zip(versions, answers, strict=True):
                if isinstance(answer, dict) and answer.get("blockHash") is None:
                    waiting = version
        return waiting

    # --- our own lock that is not there ---

    async def _unlocked(
        self, head: Header, final: Header | None, pending: Pending
    ) -> tuple[tuple[LockSeen, ...], Conflict | None]:
        for coin in self.watch.own_inputs:
            account, nonce = parse_coin(coin)
            used = await self._used(head, account)
            if used > nonce:
                return (), await self._used_by_another(head, final, account, nonce, pending.lock)
            deadline = self.watch.deadline
            if deadline and head.time > deadline:
                return (), await self._too_late(head, final, deadline)
            entry = pending.lock
            if entry is None or entry.nonce != nonce:
                continue
            waiting = await self._waiting(entry)
            if waiting is not None and waiting.kind == "lock":
                return (self._lock(0, None, waiting.txid),), None
            if waiting is not None:
                return (), Conflict(waiting.txid, 0)
        return (), None

    async def _used(self, block: Header, account: bytes) -> int:
        call: Call = ("eth_getTransactionCount", ("0x" + account.hex(),))
        [answer] = await self._sources.at(block, [call])
        return quantity(answer)

    async def _used_by_another(
        self, head: Header, final: Header | None, account: bytes, nonce: int, entry: Entry | None
    ) -> Conflict:
        if self._ended is None:

            async def used(block: Header) -> bool:
                return await self._used(block, account) > nonce

            low = max(self.watch.since_height - 1, head.number - self._history, 0)
            oldest = await self._blocks.at(low)
            if await used(oldest):
                block = oldest
            else:
                block = await self._blocks.first(low, head, used)
            txid = await self._spender(entry) or coin_of(account, nonce)
            self._ended = (block, txid)
        return Conflict(self._ended[1], self._depth(head, self._ended[0], final))

    async def _spender(self, entry: Entry | None) -> str | None:
        versions = () if entry is None else entry.versions[-ASKED_VERSIONS:]
        try:
            found = await self._receipts(versions)
        except NodeUnreachable:
            return None  # only a name for people
        return next((each.txid for each in found if each is not None), None)

    async def _too_late(self, head: Header, final: Header | None, deadline: int) -> Conflict:
        """The lock's deadline has passed in a block without it: it does nothing any more."""
        if self._ended is None:

            async def late(block: Header) -> bool:
                return block.time > deadline

            low = max(self.watch.since_height - 1, 0)
            oldest = await self._blocks.at(low)
            block = oldest if await late(oldest) else await self._blocks.first(low, head, late)
            self._ended = (block, "")
        return Conflict(self._ended[1], self._depth(head, self._ended[0], final))
