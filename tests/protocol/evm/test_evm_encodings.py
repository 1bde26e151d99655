"""Hashes, addresses, transactions and slots of EVM chains, against published examples."""

import hashlib

import coincurve
import msgspec
import pytest

from protocol.errors import DecodeError
from protocol.evm import calls
from protocol.evm.address import account_of, checksummed, create2, parse_address, recovered
from protocol.evm.keccak import keccak256
from protocol.evm.slots import (
    Claimed,
    Live,
    Other,
    Refunded,
    SlotTerms,
    live_value,
    read_slot,
    slot_key,
)
from protocol.evm.transactions import ORDER, EvmTx, parse_evm_tx, rlp, txid

# Keccak team, "Known-answer tests"; the empty string is also the code hash of every plain account.
HASHES = {
    b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    b"abc": "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    b"transfer(address,uint256)": (
        "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b"
    ),
}


@pytest.mark.parametrize(("data", "expected"), HASHES.items())
def test_keccak_gives_the_published_hashes(data: bytes, expected: str) -> None:
    assert keccak256(data).hex() == expected


def test_keccak_takes_data_of_every_length_around_a_block() -> None:
    # The hash of 135, 136 and 137 bytes of "a", made with another implementation (pycryptodome).
    found = [keccak256(b"a" * n).hex()[:16] for n in (135, 136, 137)]
    assert found == ["34367dc248bbd832", "a6c4d403279fe3e0", "d869f639c7046b49"]


# EIP-55, "Test Cases".
EIP55 = (
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)


@pytest.mark.parametrize("text", EIP55)
def test_an_address_is_written_with_its_checksum(text: str) -> None:
    address = parse_address(text)
    assert checksummed(address) == text
    assert parse_address(text.lower()) == address


@pytest.mark.parametrize("text", ["0x" + "5a" * 19, "5aAeb6" * 7, EIP55[0].swapcase(), ""])
def test_an_address_that_is_mistyped_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_address(text)


def test_a_changed_capital_is_taken_for_a_typing_mistake() -> None:
    with pytest.raises(DecodeError, match="capitals"):
        parse_address(EIP55[0].replace("aA", "AA"))


def test_create2_puts_contracts_where_the_standard_says() -> None:
    # EIP-1014, examples 1 and 5.
    assert checksummed(create2(bytes(20), bytes(32), b"\x00")) == (
        "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"
    )
    deployer = bytes.fromhex("00000000000000000000000000000000deadbeef")
    salt = bytes.fromhex("00000000000000000000000000000000000000000000000000000000cafebabe")
    assert checksummed(create2(deployer, salt, bytes.fromhex("deadbeef"))) == (
        "0x60f3f640a8508fC6a86d45DF051962668E1e8AC7"
    )


# The first key that every development node makes of its well-known words.
KEY = coincurve.PrivateKey(
    bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
)
ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def test_a_key_has_its_account_in_either_encoding() -> None:
    for compressed in (True, False):
        assert checksummed(account_of(KEY.public_key.format(compressed))) == ACCOUNT


# The RLP examples of the Ethereum documentation.
@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (b"dog", "83646f67"),
        ([b"cat", b"dog"], "c88363617483646f67"),
        (b"", "80"),
        ([], "c0"),
        (b"\x0f", "0f"),
        (b"\x04\x00", "820400"),
        (b"Lorem ipsum dolor sit amet, consectetur adipisicing elit", None),
    ],
)
def test_rlp_gives_the_published_examples(item: bytes, expected: str | None) -> None:
    assert rlp(item).hex() == (expected or "b838" + bytes(item).hex())


def signed(tx: EvmTx) -> bytes:
    return tx.signed(KEY.sign_recoverable(tx.digest(), hasher=None))


TX = EvmTx(31337, 7, 10**9, 3 * 10**9, 60_000, bytes.fromhex("ab" * 20), 10**18, b"\x01\x02")


def test_a_signed_transaction_is_read_back_and_tells_who_signed() -> None:
    raw = signed(TX)
    read = parse_evm_tx(raw)
    assert read.tx == TX
    assert checksummed(recovered(read.signature, TX.digest())) == ACCOUNT
    assert txid(raw) == keccak256(raw).hex()


def test_a_transaction_with_a_high_s_is_never_made() -> None:
    signature = KEY.sign_recoverable(TX.digest(), hasher=None)
    s = int.from_bytes(signature[32:64], "big")
    high = signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([1 - signature[64]])
    with pytest.raises(DecodeError):
        TX.signed(high)


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_damaged_transactions_are_refused_or_read_as_others(at: int) -> None:
    raw = bytearray(signed(TX))
    raw[at % len(raw)] ^= 0xFF
    try:
        read = parse_evm_tx(bytes(raw))
    except DecodeError:
        return
    assert read.tx.signed(read.signature) == bytes(raw)


PREIMAGE = bytes.fromhex("ff" + "11" * 31)
TERMS = SlotTerms(
    locker=bytes.fromhex("01" * 20),
    slot=5,
    receiver=bytes.fromhex("02" * 20),
    amount=10**18,
    expiry=1_790_000_000,
    hashlock=hashlib.sha256(PREIMAGE).digest(),
)


def test_a_slot_tells_how_its_swap_stands() -> None:
    top_off = bytes([PREIMAGE[0] & 0x7F]) + PREIMAGE[1:]
    hash_off = bytes([TERMS.hashlock[0] & 0x7F]) + TERMS.hashlock[1:]
    assert read_slot(TERMS, live_value(TERMS)) == Live()
    assert read_slot(TERMS, top_off) == Claimed(PREIMAGE)
    assert read_slot(TERMS, hash_off) == Refunded()
    assert read_slot(TERMS, bytes(32)) == Other()
    assert live_value(TERMS)[0] >= 0x80


def test_a_preimage_of_zeros_is_no_unused_slot() -> None:
    terms = SlotTerms(
        TERMS.locker, 0, TERMS.receiver, 1, TERMS.expiry, hashlib.sha256(bytes(32)).digest()
    )
    assert read_slot(terms, bytes(32)) == Claimed(bytes(32))


def test_each_term_changes_what_the_slot_holds() -> None:
    others = [
        SlotTerms(TERMS.locker, 5, b"\x03" * 20, TERMS.amount, TERMS.expiry, TERMS.hashlock),
        SlotTerms(TERMS.locker, 5, TERMS.receiver, TERMS.amount + 1, TERMS.expiry, TERMS.hashlock),
        SlotTerms(TERMS.locker, 5, TERMS.receiver, TERMS.amount, TERMS.expiry + 1, TERMS.hashlock),
        SlotTerms(TERMS.locker, 5, TERMS.receiver, TERMS.amount, TERMS.expiry, b"\x07" * 32),
    ]
    values = {live_value(other) for other in (TERMS, *others)}
    assert len(values) == 5
    assert all(read_slot(TERMS, live_value(other)) == Other() for other in others)


def test_slots_of_two_lockers_never_meet() -> None:
    keys = {slot_key(bytes([n]) * 20, slot) for n in range(1, 5) for slot in range(128)}
    assert len(keys) == 4 * 128


@pytest.mark.parametrize(
    "wrong",
    [
        {"slot": 128},
        {"amount": 2**96},
        {"amount": 0},
        {"receiver": bytes(20)},
        {"hashlock": b"\x01" * 31},
        {"expiry": 2**40},
    ],
)
def test_terms_that_no_lock_may_have_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        msgspec.structs.replace(TERMS, **wrong)


def test_selectors_of_tokens_are_the_standards() -> None:
    # EIP-20's, as every block explorer prints them.
    named = (calls.TRANSFER, calls.APPROVE, calls.BALANCE_OF, calls.ALLOWANCE, calls.DECIMALS)
    assert [each.hex() for each in named] == [
        "a9059cbb",
        "095ea7b3",
        "70a08231",
        "dd62ed3e",
        "313ce567",
    ]


def test_calls_have_whole_words() -> None:
    made = (
        calls.lock_native(TERMS, 1),
        calls.lock_token(TERMS, 1),
        calls.claim(TERMS, PREIMAGE),
        calls.claim_for(TERMS, PREIMAGE),
        calls.refund(TERMS),
    )
    assert [len(each) for each in made] == [68, 100, 100, 100, 100]
