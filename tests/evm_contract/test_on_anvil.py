"""The compiled contract on a real node, called with the project's own bytes."""

import random

import pytest

from protocol.evm import address, calls, slots
from protocol.evm.contract import artifact
from tests.evm_contract.deployed import Deployed, create2_address
from tests.evm_contract.test_agreement import terms_of
from tests.evm_contract.words import Swap, account, secret

HOUR = 3600
UNITS = 10**18


class Party:
    """One side's contract and how it is called."""

    def __init__(self, there: Deployed, seed: str, *, token: bool) -> None:
        self.there, self.token = there, token
        self.at = there.tokens if token else there.native
        self.rng = random.Random(seed)

    def swap(self, preimage: bytes | None = None) -> Swap:
        """Fresh terms of fresh parties, who have what they need."""
        now = self.there.node.now()
        locker, receiver = account(self.rng), account(self.rng)
        for who in (locker, receiver):
            self.there.node.give(who)
        if self.token:
            self.there.mint(locker, UNITS)
            self.there.approve(locker, self.at)
        preimage = secret(self.rng) if preimage is None else preimage
        return Swap(locker, receiver, UNITS, now + 9 * HOUR, now + HOUR, 5, preimage)

    def lock(self, swap: Swap) -> None:
        """By the project's own bytes."""
        own = calls.lock_token if self.token else calls.lock_native
        value = 0 if self.token else swap.amount
        self.there.node.must(swap.locker, self.at, own(terms_of(swap), swap.deadline), value=value)

    def held(self, who: bytes) -> int:
        """Coins or tokens of an account."""
        return self.there.held(who) if self.token else self.there.node.balance(who)

    def reading(self, swap: Swap) -> slots.Reading:
        """What the project makes of the slot."""
        terms = terms_of(swap)
        key = slots.slot_key(terms.locker, terms.slot)
        return slots.read_slot(terms, self.there.node.slot(self.at, key))


@pytest.fixture(params=[False, True], ids=["coin", "token"])
def side(there: Deployed, request: pytest.FixtureRequest) -> Party:
    return Party(there, request.node.nodeid, token=request.param)


def test_a_lock_is_read_as_live_then_its_claim_gives_the_preimage_and_pays(side: Party) -> None:
    swap = side.swap()
    before = side.held(swap.receiver)
    assert side.reading(swap) == slots.Other()
    side.lock(swap)
    assert side.reading(swap) == slots.Live()
    side.there.node.must(swap.receiver, side.at, calls.claim(terms_of(swap), swap.preimage))
    assert side.reading(swap) == slots.Claimed(swap.preimage)
    assert side.held(swap.receiver) - before == UNITS


def test_anybody_may_claim_for_the_receiver_and_refund_to_the_locker(side: Party) -> None:
    claimed, refunded = side.swap(), side.swap()
    somebody = account(side.rng)
    before = side.held(claimed.receiver)
    for swap in (claimed, refunded):
        side.lock(swap)
    locked = side.held(refunded.locker)
    node = side.there.node
    node.must(somebody, side.at, calls.claim_for(terms_of(claimed), claimed.preimage))
    assert not node.send(somebody, side.at, calls.refund(terms_of(refunded))).ok
    node.rpc("evm_setNextBlockTimestamp", refunded.expiry)
    assert not node.send(somebody, side.at, calls.refund(terms_of(refunded))).ok
    node.rpc("evm_setNextBlockTimestamp", refunded.expiry + 1)
    assert node.send(somebody, side.at, calls.refund(terms_of(refunded))).ok
    assert side.reading(claimed) == slots.Claimed(claimed.preimage)
    assert side.reading(refunded) == slots.Refunded()
    assert side.held(claimed.receiver) - before == UNITS
    assert side.held(refunded.locker) - locked == UNITS


@pytest.mark.parametrize("last", [0, 1], ids=["zero", "one"])
@pytest.mark.parametrize("top", [0, 0x80], ids=["top bit clear", "top bit set"])
def test_a_preimage_chosen_to_look_like_an_empty_slot_is_read_all_the_same(
    side: Party, top: int, last: int
) -> None:
    swap = side.swap(bytes([top]) + bytes(30) + bytes([last]))
    side.lock(swap)
    side.there.node.must(swap.receiver, side.at, calls.claim(terms_of(swap), swap.preimage))
    assert side.reading(swap) == slots.Claimed(swap.preimage)


def test_no_lock_is_mined_after_its_deadline(side: Party) -> None:
    swap = side.swap()
    side.there.node.rpc("evm_setNextBlockTimestamp", swap.deadline)
    side.lock(swap)
    late = side.swap()
    own = calls.lock_token if side.token else calls.lock_native
    data = own(terms_of(late), late.deadline)
    side.there.node.rpc("evm_setNextBlockTimestamp", late.deadline + 1)
    value = 0 if side.token else late.amount
    assert not side.there.node.send(late.locker, side.at, data, value=value).ok


def test_the_code_on_chain_is_the_one_that_we_expect_where_we_expect_it(there: Deployed) -> None:
    node = there.node
    assert node.code(artifact.DEPLOYER) == artifact.DEPLOYER_RUNTIME
    assert node.code(there.native) == artifact.native().runtime_code()
    assert node.code(there.tokens) == artifact.token().runtime_code(there.token)
    for at, init in (
        (there.native, artifact.native().init_code()),
        (there.tokens, artifact.token().init_code(there.token)),
    ):
        assert address.create2(artifact.DEPLOYER, artifact.SALT, init) == at
        assert create2_address(init) == at


def test_no_code_is_asked_for_without_its_token() -> None:
    with pytest.raises(ValueError, match="its token"):
        artifact.token().runtime_code()
    with pytest.raises(ValueError, match="its token"):
        artifact.native().runtime_code(bytes(20))
