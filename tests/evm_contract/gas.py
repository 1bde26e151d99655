"""`./dev gas`: what each call costs, as `gasUsed` of its own receipt, beside a peer.

Owns: the rows of the table and how it is shown. Must not know: what a check costs (`checks`).
"""

import random
from dataclasses import dataclass

from tests.evm_contract import peer
from tests.evm_contract.anvil import Receipt, running_anvil
from tests.evm_contract.deployed import CHAIN, Deployed
from tests.evm_contract.keys import Key
from tests.evm_contract.words import (
    Swap,
    account,
    claim_for_many,
    claim_these,
    lock_many,
    refund_many,
    secret,
)

ETHER = 53_400_000_000_000_000
TOKENS = 1_234_570_000_000_000_000_000
HOUR = 3600
PLENTY = 10**30


@dataclass(frozen=True)
class Row:
    """A line of the table: figures and goals, None where there is none."""

    what: str
    native: int | None
    native_goal: int | None
    token: int | None
    token_goal: int | None


class Side:
    """One of our two contracts, with everything that differs between them."""

    def __init__(self, there: Deployed, rng: random.Random, *, token: bool) -> None:
        self.there, self.rng, self.token = there, rng, token
        self.contract = there.tokens if token else there.native
        self.amount = TOKENS if token else ETHER

    def party(self) -> bytes:
        """An account that has coins, and tokens approved."""
        who = account(self.rng)
        self.enrich(who)
        return who

    def enrich(self, who: bytes) -> None:
        """Give it coins, and tokens with an allowance for us."""
        self.there.node.give(who)
        if self.token:
            self.there.mint(who, PLENTY)
            self.there.approve(who, self.contract)

    def swap(self, locker: bytes, receiver: bytes, index: int) -> Swap:
        """Fresh terms."""
        now = self.there.node.now()
        return Swap(
            locker, receiver, self.amount, now + 10 * HOUR, now + HOUR, index, secret(self.rng)
        )

    def lock(self, *swaps: Swap) -> Receipt:
        """Lock one, or several as a batch."""
        if len(swaps) > 1:
            data = lock_many(list(swaps))
        else:
            data = swaps[0].lock_token() if self.token else swaps[0].lock_native()
        value = 0 if self.token else sum(swap.amount for swap in swaps)
        return self.must(swaps[0].locker, data, value)

    def signed(self, swap: Swap, relayer: bytes, signer: Key) -> tuple[bytes, bytes]:
        """The words of a fee and its signature (r, and s with parity)."""
        relay = relayer + (self.amount // 1000 + 1).to_bytes(12, "big")
        return relay, signer.compact(swap.fee_digest(CHAIN, self.contract, relay, 0))

    def must(self, sender: bytes, data: bytes, value: int = 0) -> Receipt:
        """Call our contract."""
        return self.there.node.must(sender, self.contract, data, value=value)

    def used(self, locker: bytes, receiver: bytes, indices: list[int]) -> list[Swap]:
        """Fresh swaps in slots that an earlier swap has left non-zero."""
        for index in indices:
            old = self.swap(locker, receiver, index)
            self.lock(old)
            self.must(receiver, old.claim())
        return [self.swap(locker, receiver, index) for index in indices]


def singles(side: Side) -> dict[str, int]:
    """Of one swap at a time: locks, claims, refunds (and a batch of these)."""
    locker, receiver, other = side.party(), side.party(), side.party()
    side.lock(side.swap(locker, receiver, 99))  # the contract holds some coins, as it will in use
    found: dict[str, int] = {}
    for mode, index in (("keep", 3), ("clear", 200)):
        first = side.swap(locker, receiver, index)
        found[f"lock first {mode}"] = side.lock(first).gas_used
        found[f"claim {mode}"] = side.must(receiver, first.claim()).gas_used
        (again,) = side.used(locker, receiver, [index])
        found[f"lock again {mode}"] = side.lock(again).gas_used
        found[f"claim for {mode}"] = side.must(other, again.claim_for()).gas_used
    fresh = side.swap(locker, account(side.rng), 3)
    side.lock(fresh)
    found["claim for fresh"] = side.must(other, fresh.claim_for()).gas_used
    found |= _refunds(side, locker, receiver)
    return found


def _refunds(side: Side, locker: bytes, receiver: bytes) -> dict[str, int]:
    swaps = {"keep": side.swap(locker, receiver, 3), "clear": side.swap(locker, receiver, 200)}
    batch = [side.swap(locker, receiver, index) for index in range(40, 45)]
    for swap in [*swaps.values(), *batch]:
        side.lock(swap)
    side.there.node.rpc("evm_increaseTime", 11 * HOUR)
    side.there.node.rpc("evm_mine")
    found = {
        f"refund {mode}": side.must(locker, swap.refund()).gas_used for mode, swap in swaps.items()
    }
    found["refund x5"] = side.must(locker, refund_many(150_000, batch)).gas_used
    return found


def _fees(side: Side) -> dict[str, int]:
    """Claims and refunds that pay a relayer, who holds some of the asset already."""
    locker, receiver = Key(side.rng), Key(side.rng)
    relayer = side.party()
    for key in (locker, receiver):
        side.enrich(key.account)
    found: dict[str, int] = {}
    for mode, index in (("keep", 3), ("clear", 200)):
        for what, signer in (("claim", receiver), ("refund", locker)):
            swap = side.swap(locker.account, receiver.account, index)
            side.lock(swap)
            relay, signature = side.signed(swap, relayer, signer)
            if what == "refund":
                side.there.node.rpc("evm_increaseTime", 11 * HOUR)
                side.there.node.rpc("evm_mine")
            data = swap.with_fee(what, relay, 0, signature)
            found[f"{what} fee {mode}"] = side.must(relayer, data).gas_used
    return found


def _permits(side: Side) -> dict[str, int]:
    """Locks of one who has approved nothing: his first, and one more in the same slot."""
    locker, receiver = Key(side.rng), side.party()
    side.there.node.give(locker.account)
    side.there.mint(locker.account, PLENTY)
    found: dict[str, int] = {}
    for nonce, name in enumerate(("first", "again")):
        swap = side.swap(locker.account, receiver, 3)
        digest = side.there.permit_digest(locker.account, side.contract, swap.amount, nonce)
        data = swap.lock_with_permit(2**255, *locker.parts(digest))
        found[f"lock permit {name}"] = side.must(locker.account, data).gas_used
        side.must(receiver, swap.claim())
    return found


def _batches(side: Side) -> dict[str, int]:
    locker, receiver, other = side.party(), side.party(), side.party()
    side.lock(side.swap(locker, receiver, 99))
    found: dict[str, int] = {}
    for mode, start in (("keep", 0), ("clear", 200)):
        indices = list(range(start, start + 5))
        first = [side.swap(locker, receiver, index) for index in indices]
        found[f"lock x5 first {mode}"] = side.lock(*first).gas_used
        found[f"claim x5 {mode}"] = side.must(receiver, claim_these(first)).gas_used
        again = side.used(locker, receiver, indices)
        found[f"lock x5 again {mode}"] = side.lock(*again).gas_used
        many = claim_for_many(150_000, again)
        found[f"claim for x5 {mode}"] = side.must(other, many).gas_used
    return found


GOALS: list[tuple[str, str, int | None, int | None]] = [
    ("lock, slot used before", "lock again keep", 27_300, 46_400),
    ("lock, first use", "lock first keep", 44_400, 63_500),
    ("claim by the receiver", "claim keep", 34_600, 43_000),
    ("  clear mode", "claim clear", 30_500, 38_700),
    ("claim by a third party", "claim for keep", 37_400, 43_300),
    ("  clear mode", "claim for clear", 33_100, 39_000),
    ("  receiver new (token: holds none)", "claim for fresh", 62_400, 60_400),
    ("refund", "refund keep", 34_600, 43_100),
    ("  clear mode", "refund clear", 29_800, 38_200),
    ("claim with a signed fee", "claim fee keep", None, None),
    ("  clear mode", "claim fee clear", None, None),
    ("refund with a signed fee", "refund fee keep", None, None),
    ("  clear mode", "refund fee clear", None, None),
    ("lock with a permit, slot used before", "lock permit again", None, None),
    ("lock with a permit, first use", "lock permit first", None, None),
    ("5 locks, slots used before", "lock x5 again keep", 52_800, 70_500),
    ("5 locks, first use", "lock x5 first keep", 138_300, 156_000),
    ("5 claims, distinct preimages", "claim x5 keep", 60_700, 69_200),
    ("  clear mode", "claim x5 clear", 50_600, 57_200),
    ("5 claims by a third party", "claim for x5 keep", None, None),
    ("5 refunds", "refund x5", None, None),
]


def measure() -> list[Row]:
    """The whole table, on a fresh anvil."""
    rng = random.Random(5)
    with running_anvil() as node:
        there = Deployed.on(node)
        figures = []
        for token in (False, True):
            side = Side(there, rng, token=token)
            figures.append({**singles(side), **_fees(side), **_batches(side)})
            figures[-1] |= _permits(side) if token else {}
        theirs = peer.measure(there, rng)
    native, tokens = figures
    for found in figures:
        found["both again"] = found["lock again keep"] + found["claim keep"]
        found["both first"] = found["lock first keep"] + found["claim keep"]
        found["both clear"] = found["lock first clear"] + found["claim clear"]
    sums = [
        ("lock + claim, steady", "both again", 61_900, 89_400),
        ("lock + claim, first use", "both first", None, None),
        ("lock + claim, first use, clear mode", "both clear", None, None),
    ]
    rows = [
        Row(what, native.get(name), goal, tokens[name], token_goal)
        for what, name, goal, token_goal in GOALS + sums
    ]
    coins, units = theirs
    rows += [
        Row(f"peer: {name}", coins[name], None, units[name], None)
        for name in ("lock", "claim", "refund")
    ]
    both = [found["lock"] + found["claim"] for found in theirs]
    rows.append(Row("peer: lock + claim", both[0], None, both[1], None))
    return rows


def _cell(gas: int | None, goal: int | None) -> str:
    if gas is None:
        return "| | "
    if goal is None:
        return f"| {gas:,} | "
    return f"| {gas:,} | {goal:,}{'' if gas <= goal else f' (+{gas - goal:,})'} "


def table(rows: list[Row]) -> str:
    """As markdown."""
    lines = ["| | native | goal | ERC-20 | goal |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {row.what} {_cell(row.native, row.native_goal)}{_cell(row.token, row.token_goal)}|"
        for row in rows
    ]
    return "\n".join(lines)
