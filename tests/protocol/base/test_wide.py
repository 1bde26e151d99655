"""Amounts beyond 64 bits in journals: 18.4 coins of 18 decimals are no bound."""

import msgpack
import pytest

from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.swap.facts import LockSeen
from protocol.swap.states import LockCoin, Tx

SIZE = 10_000


@pytest.mark.parametrize("units", [0, 1, 2**63, 2**64 - 1, 2**64, 10**20, 2**96 - 1, 2**255])
def test_amounts_of_any_size_survive_the_journal(units: int) -> None:
    for value in (
        LockSeen("ref", units, 3),
        LockCoin("ref", units, b""),
        Tx(b"raw", "txid", units, units, 1, "ref", 2),
    ):
        again = decode(type(value), encode(value), max_size=SIZE)
        assert again == value
        assert encode(again) == encode(value)


def test_small_amounts_look_as_they_always_did() -> None:
    plain = msgpack.unpackb(encode(LockCoin("ref", 5, b"")))
    assert plain == {"ref": "ref", "units": 5, "script_pubkey": b""}


@pytest.mark.parametrize(
    "units", [b"\x05", b"", b"\x00" + b"\xff" * 9, b"\x01" * 33, "5", None, True]
)
def test_another_spelling_of_an_amount_is_refused(units: object) -> None:
    raw = msgpack.packb({"ref": "ref", "units": units, "script_pubkey": b""})
    with pytest.raises(DecodeError):
        decode(LockCoin, raw, max_size=SIZE)
