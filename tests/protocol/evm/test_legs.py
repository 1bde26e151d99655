"""A leg on a chain with accounts, as its contract knows it, and as other tools find it."""

import hashlib

import pytest

from protocol.amounts import Amount, Units
from protocol.assets import AssetId
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import BITCOIN_REGTEST
from protocol.errors import DecodeError
from protocol.evm import legs
from protocol.evm.address import checksummed, create2
from protocol.evm.contract import artifact
from protocol.swap.places import place_of
from protocol.terms import Kind, LegTerms, Pace, PinnedBlock

NATIVE = AssetId("eip155:1/slip44:60")
TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
USDC = AssetId(f"eip155:1/erc20:{TOKEN}")
PREIMAGE = bytes(range(32))
HASHLOCK = hashlib.sha256(PREIMAGE).digest()
LOCKER, RECEIVER = bytes.fromhex("a1" * 20), bytes.fromhex("b2" * 20)
PINNED = PinnedBlock(1, bytes(32))


def leg_of(asset: AssetId) -> LegTerms:
    amount = Amount(asset, Units(10**18))
    who = RECEIVER, LOCKER + b"\x07"
    return LegTerms(Kind.EVM, amount, *who, 1_800_000_000, 32, PINNED, Pace(13, 1200))


def test_an_asset_names_the_chains_coin_or_one_token() -> None:
    assert legs.token_of(NATIVE) is None
    assert legs.token_of(USDC) == bytes.fromhex(TOKEN[2:])


@pytest.mark.parametrize(
    "name",
    [
        f"erc20:{TOKEN.lower()}",
        f"erc20:{TOKEN.replace('b8', 'B8')}",
        f"erc20:{TOKEN[:-1]}",
        f"erc721:{TOKEN}",
        "slip44:61",
        "slip44:0",
        "",
    ],
)
def test_an_asset_has_one_name_only(name: str) -> None:
    with pytest.raises(DecodeError):
        legs.token_of(AssetId(f"eip155:1/{name}"))


def test_contracts_are_where_the_deployer_puts_our_code() -> None:
    token = bytes.fromhex(TOKEN[2:])
    of_token = bytes.fromhex(artifact.token().creation) + bytes(12) + token
    found = [legs.contract_of(None), legs.contract_of(token)]
    assert found == [
        create2(artifact.DEPLOYER, bytes(32), bytes.fromhex(artifact.native().creation)),
        create2(artifact.DEPLOYER, bytes(32), of_token),
    ]


def test_a_leg_lies_in_its_slot_of_its_contract() -> None:
    place = place_of(leg_of(USDC), HASHLOCK)
    assert place.address == checksummed(legs.contract_of(bytes.fromhex(TOKEN[2:])))
    assert place.script == "00" * 11 + "a1" * 20 + "07"


def test_a_leg_of_outputs_lies_at_its_script() -> None:
    keys = [bytes([2]) + bytes([n]) * 32 for n in (1, 2)]
    amount = Amount(BITCOIN_REGTEST.asset_id, Units(1))
    leg = LegTerms(Kind.P2WSH, amount, keys[0], keys[1], 1_800_000_000, 3, PINNED)
    htlc = Htlc(keys[0], keys[1], HASHLOCK, 1_800_000_000)
    place = place_of(leg, HASHLOCK)
    assert (place.address, place.script) == (
        htlc.address(BITCOIN_REGTEST),
        htlc.witness_script().hex(),
    )
    with pytest.raises(DecodeError):
        legs.slot_terms_of(leg, HASHLOCK)


def test_whoever_knows_the_terms_can_send_the_coins_home() -> None:
    leg = leg_of(NATIVE)
    entry = "a1" * 20 + "07" + f"{1_800_000_000:010x}" + "00" * 6
    payee = "b2" * 20 + f"{10**18:024x}"
    assert legs.refund_call(leg, HASHLOCK)[4:].hex() == HASHLOCK.hex() + entry + payee
    claim = legs.claim_call(leg, HASHLOCK, PREIMAGE)
    assert claim[4:].hex() == PREIMAGE.hex() + entry + payee
    selectors = artifact.native().selectors
    assert legs.refund_call(leg, HASHLOCK)[:4].hex() == selectors["refund(bytes32,bytes32,bytes32)"]
    assert claim[:4].hex() == selectors["claimFor(bytes32,bytes32,bytes32)"]
