"""Reads transactions, journal rows and scripts by itself: a second opinion for the checks.

Owns: the few formats that the checks need, from their specifications (BIP141, BIP340, msgpack).
Must not know, and does not import: protocol, swapd.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import coincurve
import msgpack


class PlainTx(NamedTuple):
    """`spends` are refs `<txid>:<index>`, `outputs` (script, units), `witnesses` one per input."""

    txid: str
    spends: tuple[str, ...]
    outputs: tuple[tuple[bytes, int], ...]
    witnesses: tuple[tuple[bytes, ...], ...]
    lock_time: int

    @property
    def refs(self) -> tuple[str, ...]:
        """Of its outputs."""
        return tuple(f"{self.txid}:{index}" for index in range(len(self.outputs)))


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0

    def take(self, size: int) -> bytes:
        found = self.raw[self.at : self.at + size]
        self.at += size
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def count(self) -> int:
        first = self.number(1)
        return first if first < 0xFD else self.number({0xFD: 2, 0xFE: 4, 0xFF: 8}[first])

    def text(self) -> bytes:
        return self.take(self.count())


@lru_cache(maxsize=4096)
def read_tx(raw: bytes) -> PlainTx:
    """A transaction in BIP144's form, or in the old one where it has no witness."""
    reader = _Reader(raw)
    reader.take(4)
    has_witness = raw[4:6] == b"\x00\x01"
    if has_witness:
        reader.take(2)
    begin = reader.at
    spends = []
    for _ in range(reader.count()):
        txid, index = reader.take(32)[::-1].hex(), reader.number(4)
        spends.append(f"{txid}:{index}")
        reader.text()
        reader.take(4)
    outputs = []
    for _ in range(reader.count()):
        units = reader.number(8)
        outputs.append((reader.text(), units))
    body = raw[begin : reader.at]
    witnesses: list[tuple[bytes, ...]] = [() for _ in spends]
    if has_witness:
        witnesses = [tuple(reader.text() for _ in range(reader.count())) for _ in spends]
    tail = reader.take(4)
    digest = hashlib.sha256(hashlib.sha256(raw[:4] + body + tail).digest()).digest()
    return PlainTx(
        digest[::-1].hex(), tuple(spends), tuple(outputs), tuple(witnesses),
        int.from_bytes(tail, "little"),
    )  # fmt: skip


# --- Swaps as the journal tells them ----------------------------------------------------------


class PlainLeg(NamedTuple):
    """`script` is what a lock pays to."""

    asset: str
    units: int
    script: bytes
    expiry: int
    depth: int


class PlainSwap(NamedTuple):
    """One party's swap, from its first row. `own` is the leg it funds."""

    swap_id: bytes
    offer_id: bytes
    is_initiator: bool
    hashlock: bytes
    t0: int
    own: PlainLeg
    theirs: PlainLeg
    destination: str
    refund_destination: str
    maker: bytes
    terms: bytes

    @property
    def reveal_gate(self) -> int:
        """On the regtest timing: T_P less skew and a claim with one reorganisation."""
        leg = self.theirs if self.is_initiator else self.own
        k = 2 if leg.asset == BTC else 3
        return leg.expiry - 5 - (20 + 10 * max(1, k + 2 * leg.depth - 7))

    @property
    def lock_gate(self) -> int:
        """The last moment for this party's lock."""
        leg_p = self.theirs if self.is_initiator else self.own
        gate = self.reveal_gate - 10 * ((2 if leg_p.asset == BTC else 3) + leg_p.depth - 1)
        if self.is_initiator:
            gate -= 10 * ((2 if self.own.asset == BTC else 3) + self.own.depth - 1)
        return gate


BTC = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:1"
"""Bitcoin regtest; the other chain is Litecoin regtest."""


def _push(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _little(number: int) -> bytes:
    data = number.to_bytes((number.bit_length() + 7) // 8, "little")
    return data + b"\x00" if data[-1] & 0x80 else data


def _lock_script(leg: list[Any], hashlock: bytes) -> bytes:
    """`<C> CHECKSIG NOTIF <R> CHECKSIGVERIFY <T> CLTV ELSE SIZE 32 EQUALVERIFY SHA256 <H> EQUAL
    ENDIF`, as P2WSH."""
    claim, refund, expiry = leg[2], leg[3], leg[4]
    script = _push(claim) + b"\xac\x64" + _push(refund) + b"\xad" + _push(_little(expiry)) + b"\xb1"
    script += b"\x67\x82\x01\x20\x88\xa8" + _push(hashlock) + b"\x87\x68"
    return b"\x00\x20" + hashlib.sha256(script).digest()


def _leg(leg: list[Any], hashlock: bytes) -> PlainLeg:
    asset, units = leg[1]
    return PlainLeg(
        asset, int.from_bytes(units, "big"), _lock_script(leg, hashlock), leg[4], leg[5]
    )


def read_state(row: bytes) -> Mapping[str, Any]:
    """A row's state as plain maps and lists."""
    state: Mapping[str, Any] = msgpack.unpackb(row, strict_map_key=False)
    return state


@lru_cache(maxsize=256)
def read_swap(first_row: bytes) -> PlainSwap:
    """What a swap is about, from the state in its first row."""
    agreement = read_state(first_row)["agreement"]
    terms = agreement["terms"]
    hashlock: bytes = terms[5]
    leg_i, leg_p = _leg(terms[10], hashlock), _leg(terms[11], hashlock)
    is_initiator = agreement["role"] == "initiator"
    return PlainSwap(
        swap_id=terms[1],
        offer_id=terms[2],
        is_initiator=is_initiator,
        hashlock=hashlock,
        t0=terms[6],
        own=leg_i if is_initiator else leg_p,
        theirs=leg_p if is_initiator else leg_i,
        destination=agreement["destination"],
        refund_destination=agreement["refund_destination"],
        maker=terms[3],
        terms=msgpack.packb(terms),
    )


def is_signed_offer(payload: bytes, signature: bytes, maker: bytes) -> bool:
    """BIP340 over the tagged hash of an offer's bytes."""
    tag = hashlib.sha256(b"swapd/offer/1").digest()
    digest = hashlib.sha256(tag + tag + payload).digest()
    return coincurve.PublicKeyXOnly(maker).verify(signature, digest)
