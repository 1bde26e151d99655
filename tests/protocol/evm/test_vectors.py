"""The vectors of legs on chains with accounts: slots, calls, transactions, fees, contracts."""

import json
from typing import Any

import coincurve
import pytest

from protocol.errors import DecodeError
from protocol.evm import calls, relaying
from protocol.evm.address import account_of, recovered
from protocol.evm.legs import contract_of
from protocol.evm.slots import Claimed, Live, Other, Refunded, SlotTerms, read_slot, slot_key
from protocol.evm.transactions import EvmTx, parse_evm_tx, txid
from tests.protocol.evm import make_vectors

Json = dict[str, Any]
VECTORS: Json = json.loads(make_vectors.TARGET.read_text("utf-8"))
KEY = coincurve.PrivateKey(bytes.fromhex(VECTORS["key"]))
MEANINGS: dict[str, type[object]] = {
    "live": Live,
    "claimed": Claimed,
    "refunded": Refunded,
    "other": Other,
}


def terms_of(case: Json) -> SlotTerms:
    return SlotTerms(
        locker=bytes.fromhex(case["locker"]),
        slot=case["slot"],
        receiver=bytes.fromhex(case["receiver"]),
        amount=int(case["units"]),
        expiry=case["expiry"],
        hashlock=bytes.fromhex(case["hashlock"]),
    )


def test_the_file_of_vectors_is_what_its_generator_prints() -> None:
    assert make_vectors.TARGET.read_text("utf-8") == make_vectors.text()


@pytest.mark.parametrize("case", VECTORS["slots"], ids=lambda case: case["name"])
def test_a_slot_is_found_and_read_as_the_vectors_say(case: Json) -> None:
    terms = terms_of(case)
    assert slot_key(terms.locker, terms.slot).hex() == case["key"]
    for value, meaning in case["readings"]:
        found = read_slot(terms, bytes.fromhex(value))
        assert isinstance(found, MEANINGS[meaning]), (value, meaning)
        if isinstance(found, Claimed):
            assert found.preimage.hex() == case["preimage"]


@pytest.mark.parametrize("case", VECTORS["slots"], ids=lambda case: case["name"])
def test_calls_of_the_contract_are_those_of_the_vectors(case: Json) -> None:
    terms, preimage = terms_of(case), bytes.fromhex(case["preimage"])
    said = case["calls"]
    assert calls.lock_native(terms, case["expiry"] - 600).hex() == said["lock_native"]
    assert calls.lock_token(terms, case["expiry"] - 600).hex() == said["lock_token"]
    assert calls.claim(terms, preimage).hex() == said["claim"]
    assert calls.claim_for(terms, preimage).hex() == said["claim_for"]
    assert calls.refund(terms).hex() == said["refund"]


@pytest.mark.parametrize("case", VECTORS["transactions"], ids=lambda case: case["txid"][:8])
def test_a_transaction_is_signed_named_and_read_as_the_vectors_say(case: Json) -> None:
    tx = EvmTx(
        case["chain_id"],
        case["nonce"],
        case["tip"],
        case["most"],
        case["gas"],
        bytes.fromhex(case["to"]),
        int(case["value"]),
        bytes.fromhex(case["data"]),
    )
    raw = tx.signed(KEY.sign_recoverable(tx.digest(), hasher=None))
    assert raw.hex() == case["raw"]
    assert txid(raw) == case["txid"]
    read = parse_evm_tx(raw)
    assert read.tx == tx
    assert recovered(read.signature, tx.digest()).hex() == VECTORS["account"]
    assert account_of(KEY.public_key.format()).hex() == VECTORS["account"]


@pytest.mark.parametrize("case", VECTORS["contracts"], ids=lambda case: case["contract"])
def test_a_contract_is_at_its_address_on_every_chain(case: Json) -> None:
    token = None if case["token"] is None else bytes.fromhex(case["token"])
    assert contract_of(token).hex() == case["address"]


@pytest.mark.parametrize("case", VECTORS["fees"])
def test_a_relayers_fee_is_signed_as_the_vectors_say(case: Json) -> None:
    of = next(slot for slot in VECTORS["slots"] if slot["name"] == case["slot"])
    fee = relaying.Fee(case["fee"], bytes.fromhex(case["relayer"]), case["not_before"])
    terms = terms_of(of)
    contract = bytes.fromhex(case["contract"])
    digest = relaying.fee_digest(case["chain_id"], contract, terms, fee)
    assert digest.hex() == case["digest"]
    signature = KEY.sign_recoverable(digest, hasher=None)
    assert signature.hex() == case["signature"]
    claim = relaying.claim_with_fee(terms, bytes.fromhex(of["preimage"]), fee, signature)
    compact = signature[:32] + bytes([signature[32] | signature[64] << 7]) + signature[33:64]
    tail = f"{case['relayer']}{case['fee']:024x}{case['not_before']:064x}{compact.hex()}"
    assert claim[4:].hex() == of["calls"]["claim_for"][8:] + tail
    refund = relaying.refund_with_fee(terms, fee, signature)
    assert refund[4:].hex() == of["calls"]["refund"][8:] + tail


def test_a_fee_says_what_it_is_for_and_nothing_else() -> None:
    terms = terms_of(VECTORS["slots"][0])
    other = terms_of(VECTORS["slots"][1])
    contract, fee = b"\xc3" * 20, relaying.Fee(5)
    digests = {
        relaying.fee_digest(1, contract, terms, fee),
        relaying.fee_digest(2, contract, terms, fee),
        relaying.fee_digest(1, b"\xc4" * 20, terms, fee),
        relaying.fee_digest(1, contract, other, fee),
        relaying.fee_digest(1, contract, terms, relaying.Fee(6)),
        relaying.fee_digest(1, contract, terms, relaying.Fee(5, b"\x01" * 20)),
        relaying.fee_digest(1, contract, terms, relaying.Fee(5, not_before=1)),
    }
    assert len(digests) == 7


@pytest.mark.parametrize(
    ("units", "relayer", "not_before"),
    [(-1, bytes(20), 0), (2**96, bytes(20), 0), (1, bytes(19), 0), (1, bytes(20), 2**40)],
)
def test_a_fee_that_no_contract_pays_is_refused(
    units: int, relayer: bytes, not_before: int
) -> None:
    with pytest.raises(DecodeError):
        relaying.Fee(units, relayer, not_before)


@pytest.mark.parametrize(
    "signature", [bytes(64), bytes(32) + b"\x80" + bytes(32), bytes(64) + b"\x02"]
)
def test_a_signature_that_the_contract_refuses_is_not_sent(signature: bytes) -> None:
    with pytest.raises(DecodeError):
        relaying.refund_with_fee(terms_of(VECTORS["slots"][0]), relaying.Fee(1), signature)
