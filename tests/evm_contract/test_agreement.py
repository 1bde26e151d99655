"""The project's own calldata, keys and values are the contract's, byte for byte."""

import random

import pytest

from protocol.evm import calls, slots
from protocol.evm.contract import artifact
from tests.evm_contract.words import Swap, account, secret

CALLS = {
    "lock(uint256,uint256)": calls.LOCK_NATIVE,
    "lock(bytes32,uint256,uint256)": calls.LOCK_TOKEN,
    "claim(bytes32,bytes32,uint96)": calls.CLAIM,
    "claimFor(bytes32,bytes32,bytes32)": calls.CLAIM_FOR,
    "refund(bytes32,bytes32,bytes32)": calls.REFUND,
}


def terms_of(swap: Swap) -> slots.SlotTerms:
    """The same in the project's words."""
    return slots.SlotTerms(
        locker=swap.locker,
        slot=swap.index,
        receiver=swap.receiver,
        amount=swap.amount,
        expiry=swap.expiry,
        hashlock=swap.hashlock,
    )


@pytest.fixture(params=range(20))
def swap(request: pytest.FixtureRequest) -> Swap:
    rng = random.Random(request.param)
    expiry = rng.randrange(2, 2**40)
    return Swap(
        locker=account(rng),
        receiver=account(rng),
        amount=rng.randrange(1, 2 ** rng.randint(1, 96)),
        expiry=expiry,
        deadline=rng.randrange(1, expiry),
        index=rng.randrange(128),
        preimage=secret(rng),
    )


def test_every_call_of_ours_is_the_one_that_the_contract_documents(swap: Swap) -> None:
    terms = terms_of(swap)
    assert calls.lock_native(terms, swap.deadline) == swap.lock_native()
    assert calls.lock_token(terms, swap.deadline) == swap.lock_token()
    assert calls.claim(terms, swap.preimage) == swap.claim()
    assert calls.claim_for(terms, swap.preimage) == swap.claim_for()
    assert calls.refund(terms) == swap.refund()


def test_the_slot_and_what_is_in_it_are_those_that_the_contract_documents(swap: Swap) -> None:
    assert slots.slot_key(swap.locker, swap.index) == swap.key
    assert slots.live_value(terms_of(swap)) == swap.value


@pytest.mark.parametrize("contract", [artifact.native(), artifact.token()], ids=["coin", "token"])
def test_the_selectors_that_solc_computed_are_ours(contract: artifact.Artifact) -> None:
    known = {name: data.hex() for name, data in CALLS.items() if name in contract.selectors}
    assert len(known) == 4
    assert known == {name: contract.selectors[name] for name in known}
