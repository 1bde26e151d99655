"""Which transaction has which nonce of an account, durably: the ledger of what we have signed.

Owns: `Nonces`: giving nonces out, every version signed for one, which are free again, which are a
gap. Must not know: nodes, what transactions do.

An account's transactions are mined in the order of their nonces, one for each: so a nonce given
away twice loses one of two transactions, and one left out holds up all after it. Every version is
on disk before it leaves this module's caller. A nonce is bound to its purpose until the chain has
used it, or until nobody holds it: the journal of swaps for locks, an open watch for the rest, and
in the first minute whoever has just asked.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import trio
from msgspec import Struct

from swapd.chains.evm.fees import Fees
from swapd.ports import ChainError, Memory

HOLD_SECONDS: Final = 60.0
"""How long a nonce that was just given out is not given to anybody else."""

KEPT_VERSIONS: Final = 40
KEPT_BELOW: Final = 2000
"""Entries of nonces so far below the chain's are forgotten."""

MOST_OPEN: Final = 1000
"""Nonces that may be held at once: no daemon has so many transactions under way."""

OWN: Final = ("approve", "deploy", "sweep")
"""Purposes beside swaps: nobody but the ledger remembers them, and they are sent until mined."""


class Version(Struct, frozen=True):
    """One signed transaction. `deadline` in unix seconds is the last block time at which a lock
    does anything, 0 for others; `sent`: it may have left the daemon."""

    txid: str
    raw: bytes
    most: int
    tip: int
    deadline: int = 0
    sent: bool = False
    kind: str = ""

    @property
    def fees(self) -> Fees:
        """What it offers."""
        return Fees(self.most, self.tip)


class Entry(Struct, frozen=True):
    """All that was signed for one nonce, oldest first."""

    nonce: int
    purpose: str
    versions: tuple[Version, ...] = ()
    taken: str = "0"

    @property
    def holds(self) -> int:
        """Units of the asset that it will take: a number of up to 256 bits, on disk as text."""
        return int(self.taken)

    @property
    def is_own(self) -> bool:
        """Whether it belongs to no swap, but has to be mined all the same."""
        return self.purpose.startswith(OWN)

    @property
    def is_sent(self) -> bool:
        """Whether any version may be on its way."""
        return any(version.sent for version in self.versions)

    @property
    def deadline(self) -> int:
        """The latest of its locks; 0 where none has one."""
        return max((version.deadline for version in self.versions), default=0)


IsHeld = Callable[[int, Entry | None], bool]


class Nonces:
    """The ledger of one account on one chain. `is_held(nonce, entry)` says whether a swap still
    counts on that nonce; there may be no entry, where the journal remembers more than this."""

    def __init__(self, memory: Memory, account: str, is_held: IsHeld) -> None:
        self._memory = memory
        self._account = account
        self._is_held = is_held
        self._entries: dict[int, Entry] = {}
        self._given: dict[int, float] = {}
        self._loaded = False
        self.giving = trio.Lock()

    async def load(self) -> None:
        """Reads the ledger once."""
        if self._loaded:
            return
        prefix = f"{self._account}:"
        for key, value in await self._memory.items():
            if key.startswith(prefix):
                entry = msgspec.msgpack.decode(value, type=Entry)
                self._entries[entry.nonce] = entry
        self._loaded = True

    def entry(self, nonce: int) -> Entry | None:
        """What was signed for a nonce."""
        return self._entries.get(nonce)

    def of(self, purpose: str) -> Entry | None:
        """The newest entry of a purpose."""
        found = [entry for entry in self._entries.values() if entry.purpose == purpose]
        return max(found, key=lambda entry: entry.nonce, default=None)

    def pending(self, used: int) -> tuple[Entry, ...]:
        """Entries whose nonce the chain has not used, in their order."""
        return tuple(self._entries[n] for n in sorted(self._entries) if n >= used)

    async def give(self, purpose: str, used: int, *, holds: int = 0) -> int:
        """A nonce for `purpose`: the one it has if the chain has not used it, or the lowest free
        one; durably. `used` are the chain's; `holds` what its transaction may spend, in wei. Raises
        ChainError when none is free."""
        async with self.giving:
            await self.load()
            mine = self.of(purpose)
            if mine is not None and mine.nonce >= used:
                self._given[mine.nonce] = trio.current_time()
                return mine.nonce
            nonce = used
            while self.is_taken(nonce):
                nonce += 1
                if nonce > used + MOST_OPEN:
                    msg = "no nonce is free: is it known yet which of them our swaps hold?"
                    raise ChainError(msg)
            older = self._entries.get(nonce)
            sent = tuple(v for v in older.versions if v.sent) if older is not None else ()
            await self._write(Entry(nonce, purpose, sent, str(holds)))
            self._given[nonce] = trio.current_time()
            return nonce

    def is_taken(self, nonce: int) -> bool:
        """Whether somebody counts on that nonce."""
        entry = self._entries.get(nonce)
        if entry is not None and (entry.is_own or self._is_fresh(nonce)):
            return True
        return self._is_held(nonce, entry)

    def _is_fresh(self, nonce: int) -> bool:
        """Somebody has just asked for it, and may be about to journal what he made of it."""
        given = self._given.get(nonce)
        return given is not None and trio.current_time() < given + HOLD_SECONDS

    async def add(self, nonce: int, purpose: str, version: Version) -> None:
        """Writes a version down, before it is given to anybody."""
        await self.load()
        entry = self._entries.get(nonce) or Entry(nonce, purpose)
        kept = tuple(v for v in entry.versions if v.txid != version.txid)[-KEPT_VERSIONS + 1 :]
        await self._write(msgspec.structs.replace(entry, versions=(*kept, version)))

    async def sent(self, txid: str) -> None:
        """That version is about to leave the daemon."""
        await self.load()
        for entry in self._entries.values():
            found = next((v for v in entry.versions if v.txid == txid), None)
            if found is not None and not found.sent:
                marked = msgspec.structs.replace(found, sent=True)
                versions = tuple(marked if v.txid == txid else v for v in entry.versions)
                await self._write(msgspec.structs.replace(entry, versions=versions))

    def gaps(self, used: int) -> tuple[int, ...]:
        """Nonces that nobody holds or will use although later ones may be on their way, or that
        hold a transaction that nobody counts on any more: they keep the account from going on."""
        later = [entry.nonce for entry in self._entries.values() if entry.is_sent]
        end = max(later, default=-1)
        return tuple(nonce for nonce in range(used, end + 1) if not self.is_taken(nonce))

    def stuck(self, used: int) -> tuple[Entry, ...]:
        """What is of no swap and was not mined in good time: to be sent again, dearer."""
        return tuple(
            entry
            for entry in self.pending(used)
            if entry.is_own and entry.versions and not self._is_fresh(entry.nonce)
        )

    def renew(self, nonce: int) -> None:
        """It was just sent again: it has time."""
        self._given[nonce] = trio.current_time()

    async def forget(self, used: int) -> None:
        """Drops what is long final."""
        for nonce in [n for n in self._entries if n < used - KEPT_BELOW]:
            del self._entries[nonce]
            await self._memory.delete(self._key(nonce))

    def _key(self, nonce: int) -> str:
        return f"{self._account}:{nonce}"

    async def _write(self, entry: Entry) -> None:
        await self._memory.put(self._key(entry.nonce), msgspec.msgpack.encode(entry))
        self._entries[entry.nonce] = entry
