"""Whether a book is honest and agreed terms are what was offered, by plain records.

Owns: `Log` of what one maker truly signed and ended, judging a book against it; `Ask`, what one
side insists on, and judging terms against it. Must not know: the code under test.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

DYING = 60
"""Seconds before its end in which an offer is in no digest any more."""

GONE_AFTER = 90
"""Seconds after a maker's last heartbeat by which its offers are in no book (safety rule 18)."""


class Item(NamedTuple):
    """An offer as it stands in a book."""

    maker: bytes
    payload: bytes
    number: int
    slot: int
    sequence: int
    expires: int


@dataclass
class Log:
    """One maker's truth. `signed` are all payloads it ever signed as offers; `live` by log number
    the payloads that were live then."""

    maker: bytes
    signed: set[bytes] = field(default_factory=set)
    live: dict[int, frozenset[bytes]] = field(default_factory=dict)


@dataclass
class Heard:
    """What one book was told of one maker, correctly signed: ends by slot, floors, the last
    heartbeat, and the number at which its set was the maker's own."""

    ended: dict[int, int] = field(default_factory=dict)
    floor: int = 0
    beat: int = -(1 << 40)
    settled: int = 0
    settled_at: int = 0


def judge_book(items: Iterable[Item], logs: dict[bytes, Log], heard: dict[bytes, Heard], now: int,
               ) -> list[str]:  # fmt: skip
    """Invariant 7: what is in the book that should not be."""
    wrong = []
    for item in items:
        log, told = logs.get(item.maker), heard.get(item.maker)
        if log is None or item.payload not in log.signed:
            wrong.append("the book holds an offer that its maker did not sign")
            continue
        if told is None or now - told.beat > GONE_AFTER:
            wrong.append("the book holds an offer of a maker that is gone")
            continue
        if now >= item.expires + 1:
            wrong.append(f"the book holds an offer that expired {now - item.expires} s ago")
        if item.sequence <= told.ended.get(item.slot, 0) or item.number <= told.floor:
            wrong.append("the book holds an offer whose end it was told")
        alive = log.live.get(told.settled)
        counts = item.number <= told.settled and item.expires > told.settled_at + DYING
        if counts and alive is not None and item.payload not in alive:
            wrong.append("the book holds an offer that the maker's digest had ended")
    return wrong


class Ask(NamedTuple):
    """What one side wants to see in the terms it signs."""

    gives: int  # units it locks, at most
    gets: int  # units it claims, at least
    depth: int  # of the other's lock, at least
    own_keys: frozenset[bytes]  # its claim key and its refund key
    counterparty: bytes  # the other side's name in the terms
    now: int
    skew: int


class Signed(NamedTuple):
    """The terms that a side signed, from its own point of view."""

    gives: int
    gets: int
    depth: int
    keys: frozenset[bytes]
    counterparty: bytes
    t0: int


def judge_signed(ask: Ask, signed: Signed, hashlock: bytes, known: set[bytes]) -> list[str]:
    """Invariant 6: what is wrong with terms that a side signed. `known` are hashlocks seen
    before."""
    wrong = []
    if signed.gives > ask.gives:
        wrong.append(f"signed to give {signed.gives}, not {ask.gives}")
    if signed.gets < ask.gets:
        wrong.append(f"signed to get {signed.gets}, not {ask.gets}")
    if signed.depth < ask.depth:
        wrong.append(f"signed for {signed.depth} confirmations, not {ask.depth}")
    if not ask.own_keys <= signed.keys:
        wrong.append("signed terms without its own keys")
    if signed.counterparty != ask.counterparty:
        wrong.append("signed terms with somebody else")
    if abs(signed.t0 - ask.now) > ask.skew + 300:
        wrong.append(f"signed terms that begin {signed.t0 - ask.now} s from now")
    if hashlock in known or len(hashlock) != 32:
        wrong.append("signed terms with a hashlock that was seen before, or is none")
    return wrong
