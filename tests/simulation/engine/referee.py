"""Watches while the world runs: what may be written, broadcast and revealed, and when.

Owns: the rules that must hold at every moment, the story, the tallies. Must not know: the engine
(it reads the disks' bytes and the transactions' bytes by itself).
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from tests.simulation.engine.plain import PlainSwap, PlainTx, read_state, read_swap, read_tx

LATE = 12
"""Seconds after a gate that a step decided before it may still take: a slow call's answer, and
clocks that differ."""


class Row(Protocol):
    """A journal row."""

    @property
    def swap_id(self) -> bytes: ...
    @property
    def sequence(self) -> int: ...
    @property
    def event(self) -> bytes: ...
    @property
    def state(self) -> bytes: ...


class Disk(Protocol):
    """What is durable of one daemon."""

    @property
    def journal(self) -> Mapping[bytes, "list[Any]"]: ...


class Party(Protocol):
    """A daemon as the referee sees it."""

    @property
    def name(self) -> str: ...
    @property
    def disk(self) -> Disk: ...
    @property
    def is_honest(self) -> bool: ...


class Version(NamedTuple):
    """One version of a lock that left its daemon."""

    txid: str
    spends: frozenset[str]


class Referee:
    """`now` gives the true time; `seen_depth(asset, script, units)` how deep an unspent lock is;
    `shaken(asset)` when that chain was reorganised last."""

    def __init__(self, now: "Any", seen_depth: "Any", shaken: "Any", *, tell: bool) -> None:
        self.violations: list[str] = []
        self.story: list[str] = []
        self.tallies: Counter[str] = Counter()
        self._now = now
        self._seen_depth = seen_depth
        self._shaken = shaken
        self._tell = tell
        self.begin = now()
        self._sent: dict[tuple[str, bytes], list[Version]] = {}
        self._hashlocks: dict[bytes, bytes] = {}
        self.on_duty: Any = lambda _duty, _name, _swap: None
        self.out: set[tuple[str, bytes]] = set()
        """(daemon, swap) whose preimage has left."""

    def note(self, text: str) -> None:
        """One line of the story."""
        if self._tell:
            self.story.append(f"{self._now() - self.begin:7.1f}  {text}")

    def violated(self, text: str) -> None:
        """A promise was broken."""
        self.note(f"VIOLATION {text}")
        if len(self.violations) < 50:
            self.violations.append(text)

    # --- rows ---

    def on_row(self, party: Party, row: Row) -> None:
        """A row is durable now."""
        state = read_state(row.state)
        name = f"{party.name}/{row.swap_id.hex()[:6]}"
        if row.sequence == 1:
            self._on_agreed(party, row)
            return
        event = read_state(row.event)["type"]
        before = read_state(party.disk.journal[row.swap_id][row.sequence - 2].state)
        swap = read_swap(party.disk.journal[row.swap_id][0].state)
        if self._tell:
            self.note(f"{name} row {row.sequence} {event}: {_shape(state)}")
        if before["secret"]["type"] == "hidden" and state["secret"]["type"] == "revealed":
            self._on_reveal(name, swap)
        if before["own"]["type"] == "held" and state["own"]["type"] == "released":
            self._on_release(name, swap, state)
            self.on_duty("kill", party.name, swap)
        if event == "lock_built":
            self._on_lock_built(party, row.swap_id, state)

    def _on_agreed(self, party: Party, row: Row) -> None:
        swap = read_swap(row.state)
        self.tallies["agreed"] += 1
        role = "taker" if swap.is_initiator else "maker"
        self.note(f"{party.name}/{row.swap_id.hex()[:6]} agreed as {role}")
        if swap.is_initiator and self._hashlocks.setdefault(swap.hashlock, swap.swap_id) != (
            swap.swap_id
        ):
            self.violated(f"{party.name}: a hashlock was used twice")

    def _on_reveal(self, name: str, swap: PlainSwap) -> None:
        if self._now() > swap.reveal_gate + LATE:
            late = self._now() - swap.reveal_gate
            self.violated(f"{name}: the preimage was released {late:.0f} s after the reveal gate")
        depth = self._seen_depth(swap.theirs.asset, swap.theirs.script, swap.theirs.units)
        if depth < swap.theirs.depth and self._now() - self._shaken(swap.theirs.asset) > LATE:
            self.violated(f"{name}: revealed while their lock was {depth} deep")

    def _on_release(self, name: str, swap: PlainSwap, state: Mapping[str, Any]) -> None:
        if self._now() > swap.lock_gate + LATE:
            late = self._now() - swap.lock_gate
            self.violated(f"{name}: a lock was released {late:.0f} s after its gate")
        if swap.is_initiator:
            return
        depth = self._seen_depth(swap.theirs.asset, swap.theirs.script, swap.theirs.units)
        if depth < swap.theirs.depth and self._now() - self._shaken(swap.theirs.asset) > LATE:
            self.violated(f"{name}: locked while their lock was {depth} deep")

    def _on_lock_built(self, party: Party, swap_id: bytes, state: Mapping[str, Any]) -> None:
        mine = _coins(state)
        for other, rows in party.disk.journal.items():
            if other == swap_id:
                continue
            newest = read_state(rows[-1].state)
            if newest["outcome"] is None and newest["own"]["type"] in (
                "held",
                "released",
                "killing",
            ):
                both = mine & _coins(newest)
                if both:
                    self.violated(f"{party.name}: two open swaps lock the same coin {min(both)}")

    # --- broadcasts ---

    def on_broadcast(self, party: Party, raw: bytes) -> None:
        """A daemon hands a transaction to its node."""
        tx = read_tx(raw)
        on_disk = False
        for swap_id, rows in party.disk.journal.items():
            swap = read_swap(rows[0].state)
            written = raw in rows[-1].state or any(raw in row.state for row in rows)
            on_disk = on_disk or written
            name = f"{party.name}/{swap_id.hex()[:6]}"
            if any(out == (swap.own.script, swap.own.units) for out in tx.outputs) and written:
                self._on_lock_sent(party, name, swap, tx)
            if shows(tx, swap.hashlock):
                self._on_preimage_sent(party, name, swap, rows[-1].state)
        self.note(f"{party.name} broadcasts {tx.txid[:8]}")
        if not on_disk:
            self.violated(f"{party.name}: {tx.txid} left the daemon before it was on disk")

    def _on_lock_sent(self, party: Party, name: str, swap: PlainSwap, tx: PlainTx) -> None:
        versions = self._sent.setdefault((party.name, swap.swap_id), [])
        if any(version.txid == tx.txid for version in versions):
            return
        spends = frozenset(tx.spends)
        if any(not (version.spends & spends) for version in versions):
            self.violated(f"{name}: a second lock of the same leg left the daemon")
        versions.append(Version(tx.txid, spends))
        self.tallies["locks"] += 1

    def _on_preimage_sent(self, party: Party, name: str, swap: PlainSwap, newest: bytes) -> None:
        if not swap.is_initiator:
            return
        if read_state(newest)["secret"]["type"] != "revealed":
            self.violated(f"{name}: the preimage left before its reveal was on disk")
        self.out.add((party.name, swap.swap_id))


def shows(tx: PlainTx, hashlock: bytes) -> bool:
    """Whether a witness opens the hashlock."""
    return any(
        len(item) == 32 and hashlib.sha256(item).digest() == hashlock
        for witness in tx.witnesses
        for item in witness
    )


def _coins(state: Mapping[str, Any]) -> set[str]:
    lock = state["own"].get("lock")
    return {coin["ref"] for coin in lock["coins"]} if lock else set()


def _shape(state: Mapping[str, Any]) -> str:
    def leg(view: Any) -> str:
        if view is None:
            return "?"
        locks = [
            f"{lock['depth']}"
            + (f"/{lock['spend']['kind']}{lock['spend']['depth']}" if lock["spend"] else "")
            for lock in view["locks"]
        ]
        return ",".join(locks) or "-"

    end = (
        f" END {state['outcome']['end']}: {state['outcome']['reason']}" if state["outcome"] else ""
    )
    return (
        f"own {state['own']['type']}, secret {state['secret']['type']}, "
        f"I {leg(state['view_i'])}, P {leg(state['view_p'])}{end}"
    )
