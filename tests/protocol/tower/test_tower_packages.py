"""What a tower accepts: only what can do nothing but what the client's own signatures say."""

import hashlib
from typing import Any

import msgspec
import pytest

from protocol.amounts import Amount, Units
from protocol.bitcoin.params import LITECOIN_MAINNET
from protocol.bitcoin.tx import TxOutput, parse_tx, sighash_v0
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.terms import LegName, Role
from protocol.tower.decide import finish
from protocol.tower.package import (
    MAX_KEPT_SECONDS,
    MAX_PACKAGE_BYTES,
    MAX_VARIANTS,
    MAX_WAYS,
    Act,
    Package,
    Variant,
    check,
    digest,
    htlc_of,
    proof_of_keeping,
    read,
    unsigned,
)
from tests.fakes.scripts import is_signed, sign_low_r
from tests.protocol.tower import samples
from tests.protocol.tower.samples import ALL, CLAIM_I, CLAIM_P, PREIMAGE, REFUND_I, REFUND_P

replace = msgspec.structs.replace
SECRETS = {id(REFUND_P): b"maker refunds p", id(CLAIM_I): b"maker claims i"}


def refusal(package: Package) -> Refusal:
    """Why it is refused."""
    with pytest.raises(RemoteProtocolError) as caught:
        check(package)
    return caught.value.refusal


def resigned(package: Package, **changes: Any) -> Package:
    """The package with `changes`, its variants signed anew by the client's own key: a client that
    wants to fool a tower can do that."""
    secret = hashlib.sha256(SECRETS[id(package)]).digest()
    changed = replace(package, **changes)
    ways = []
    for way in changed.ways:
        variants = []
        for variant in way.variants:
            digest = unsigned(changed, way, variant.fee, variant.not_before).sighash
            variants.append(replace(variant, signature=sign_low_r(secret, digest)))
        ways.append(replace(way, variants=tuple(variants)))
    return replace(changed, ways=tuple(ways))


def with_variants(package: Package, *variants: Variant) -> tuple[Any, ...]:
    """The ways of a package with these variants in the first."""
    return (replace(package.ways[0], variants=variants), *package.ways[1:])


@pytest.mark.parametrize("package", ALL)
def test_each_package_of_an_honest_client_is_good_and_travels(package: Package) -> None:
    assert read(encode(package)) == package


@pytest.mark.parametrize("package", ALL)
def test_every_variant_spends_the_lock_alone_to_the_clients_address_alone(package: Package) -> None:
    units = int(package.watched.leg.amount.units)
    spent = TxOutput(htlc_of(package, package.watched.leg).script_pubkey(), units)
    for way in package.ways:
        for number, variant in enumerate(way.variants):
            tx = parse_tx(finish(package, way, number, PREIMAGE).raw)
            assert [str(txin.outpoint) for txin in tx.inputs] == [way.ref]
            assert tx.outputs == (TxOutput(package.destination, units - variant.fee),)
            assert tx.inputs[0].sequence == 0xFFFFFFFD  # so that its lock time counts
            assert tx.lock_time == variant.not_before
            assert is_signed(tx, 0, spent)
            signature = tx.inputs[0].witness[1 if package.act is Act.CLAIM else 0]
            assert signature[-1] == 1  # SIGHASH_ALL
            assert variant.fee <= package.max_fee


def test_a_claim_without_the_preimage_is_no_transaction_and_does_not_hold_it() -> None:
    for package in (CLAIM_I, CLAIM_P):
        with pytest.raises(ValueError, match="preimage"):
            finish(package, package.ways[0], 0, b"")
        assert PREIMAGE not in encode(package)


def test_the_signature_does_not_cover_the_preimage_so_it_is_good_before_anybody_knows_it() -> None:
    way = CLAIM_I.ways[0]
    done = parse_tx(finish(CLAIM_I, way, 0, PREIMAGE).raw)
    script = htlc_of(CLAIM_I, CLAIM_I.watched.leg).witness_script()
    bare = replace(done, inputs=(replace(done.inputs[0], witness=()),))
    digest_ = sighash_v0(bare, 0, script, int(CLAIM_I.watched.leg.amount.units))
    assert (
        digest_ == unsigned(CLAIM_I, way, way.variants[0].fee, way.variants[0].not_before).sighash
    )


def test_a_refund_is_void_before_the_expiry_in_every_variant() -> None:
    for package in (REFUND_I, REFUND_P):
        expiry = package.watched.leg.expiry
        assert all(v.not_before >= expiry for way in package.ways for v in way.variants)
        early = replace(package.ways[0].variants[0], not_before=expiry - 1)
        assert refusal(replace(package, ways=with_variants(package, early))) is Refusal.WRONG_TERMS


# --- Hostile packages -------------------------------------------------------------------------


def test_another_destination_makes_every_signature_bad() -> None:
    thief = samples.payout("thief", LegName.P)
    assert refusal(replace(REFUND_P, destination=thief)) is Refusal.BAD_SIGNATURE


def test_a_dearer_fee_than_was_signed_is_a_bad_signature() -> None:
    dearest = REFUND_P.ways[0].variants[-1]
    ways = with_variants(REFUND_P, replace(dearest, fee=dearest.fee - 1))
    assert refusal(replace(REFUND_P, ways=ways)) is Refusal.BAD_SIGNATURE


def test_an_earlier_lock_time_than_was_signed_is_a_bad_signature() -> None:
    last = CLAIM_I.ways[0].variants[-1]
    assert last.not_before > 0
    ways = with_variants(CLAIM_I, replace(last, not_before=0))
    assert refusal(replace(CLAIM_I, ways=ways)) is Refusal.BAD_SIGNATURE


def test_another_outpoint_or_amount_is_a_bad_signature() -> None:
    way = replace(REFUND_P.ways[0], index=7)
    assert refusal(replace(REFUND_P, ways=(way,))) is Refusal.BAD_SIGNATURE
    leg = REFUND_P.watched.leg
    more = replace(leg, amount=Amount(leg.amount.asset, Units(leg.amount.units + 1)))
    watched = replace(REFUND_P.watched, leg=more)
    assert refusal(replace(REFUND_P, watched=watched)) is Refusal.BAD_SIGNATURE


def test_a_fee_above_the_cap_is_refused_although_it_is_signed() -> None:
    lower = REFUND_P.ways[0].variants[-1].fee - 1
    assert refusal(resigned(REFUND_P, max_fee=lower)) is Refusal.WRONG_TERMS


def test_variants_must_rise_in_fee_and_not_fall_in_time() -> None:
    first, second, *_ = CLAIM_I.ways[0].variants
    same = with_variants(CLAIM_I, first, replace(second, fee=first.fee))
    assert refusal(resigned(CLAIM_I, ways=same)) is Refusal.WRONG_TERMS
    late, early = CLAIM_I.ways[0].variants[-1], CLAIM_I.ways[0].variants[0]
    falling = with_variants(CLAIM_I, replace(early, not_before=late.not_before + 1), late)
    assert refusal(resigned(CLAIM_I, ways=falling)) is Refusal.WRONG_TERMS


def test_a_lock_time_that_would_be_a_height_is_refused() -> None:
    variant = replace(CLAIM_I.ways[0].variants[0], not_before=499_999_999)
    ways = with_variants(CLAIM_I, variant)
    assert refusal(resigned(CLAIM_I, ways=ways)) is Refusal.WRONG_TERMS


def test_a_preimage_is_taken_only_of_the_hashlock_and_only_with_a_claim() -> None:
    check(replace(CLAIM_I, preimage=PREIMAGE))
    assert refusal(replace(CLAIM_I, preimage=bytes(32))) is Refusal.WRONG_TERMS
    assert refusal(replace(CLAIM_I, preimage=PREIMAGE[:31])) is Refusal.WRONG_TERMS
    assert refusal(replace(REFUND_P, preimage=PREIMAGE)) is Refusal.WRONG_TERMS


def test_a_refund_that_wants_two_legs_watched_is_refused() -> None:
    assert refusal(replace(REFUND_P, shows=CLAIM_I.watched)) is Refusal.WRONG_TERMS
    same = replace(CLAIM_I, shows=CLAIM_I.watched)
    assert refusal(same) is Refusal.WRONG_TERMS


def test_an_outpoint_named_twice_is_refused() -> None:
    assert refusal(replace(REFUND_P, ways=REFUND_P.ways * 2)) is Refusal.WRONG_TERMS


def test_keys_that_make_no_script_are_refused() -> None:
    leg = REFUND_P.watched.leg
    for changes in ({"claim_key": b"\x05" * 33}, {"claim_key": leg.refund_key}, {"expiry": 5}):
        watched = replace(REFUND_P.watched, leg=replace(leg, **changes))
        assert refusal(replace(REFUND_P, watched=watched)) is Refusal.WRONG_TERMS


def test_an_unknown_chain_a_foreign_asset_and_an_unknown_version_are_refused_by_name() -> None:
    leg = REFUND_P.watched.leg
    strange = f"bip122:{'ab' * 16}/slip44:0"
    not_its_coin = f"{LITECOIN_MAINNET.chain_id}/slip44:60"
    for asset in (strange, not_its_coin):
        amount = Amount(asset, leg.amount.units)  # type: ignore[arg-type] # as it comes off the wire
        watched = replace(REFUND_P.watched, leg=replace(leg, amount=amount))
        assert refusal(replace(REFUND_P, watched=watched)) is Refusal.UNSUPPORTED_ASSET
    assert refusal(replace(REFUND_P, version=2)) is Refusal.UNKNOWN_VERSION


def test_a_package_asks_to_be_kept_beyond_its_expiry_but_not_for_ever() -> None:
    expiry = REFUND_P.watched.leg.expiry
    for when in (expiry - 1, expiry + MAX_KEPT_SECONDS + 1):
        assert refusal(replace(REFUND_P, keep_until=when)) is Refusal.WRONG_TERMS
    check(replace(REFUND_P, keep_until=expiry + MAX_KEPT_SECONDS))


def test_the_largest_package_fits_and_larger_ones_are_refused_unread() -> None:
    variant = replace(REFUND_P.ways[0].variants[0], fee=2**40, signature=b"\x30" * 70)
    way = replace(REFUND_P.ways[0], index=2**32 - 1, variants=(variant,) * MAX_VARIANTS)
    largest = replace(CLAIM_I, ways=(way,) * MAX_WAYS, preimage=PREIMAGE)
    assert len(encode(largest)) <= MAX_PACKAGE_BYTES
    with pytest.raises(RemoteProtocolError) as caught:
        read(bytes(MAX_PACKAGE_BYTES + 1))
    assert caught.value.refusal is Refusal.TOO_LARGE
    for ways in ((way,) * (MAX_WAYS + 1), ()):
        with pytest.raises(RemoteProtocolError):
            read(encode(replace(REFUND_P, ways=ways)))


# --- What is stored ---------------------------------------------------------------------------


def test_a_digest_stands_for_every_byte_and_a_proof_for_a_nonce_too() -> None:
    newer = replace(REFUND_P, sequence=2)
    assert digest(newer) != digest(REFUND_P)
    data = encode(REFUND_P)
    proofs = {
        proof_of_keeping(bytes(32), data),
        proof_of_keeping(b"\x01" * 32, data),
        proof_of_keeping(bytes(32), encode(newer)),
        digest(REFUND_P),
    }
    assert len(proofs) == 4


def test_the_initiators_claim_names_one_leg_and_the_participants_both() -> None:
    assert CLAIM_P.shows is None
    assert REFUND_P.shows is None
    assert REFUND_I.shows is None
    assert CLAIM_I.shows is not None
    assert {samples.agreement(role).terms.swap_id for role in Role}.isdisjoint(
        {package.hashlock for package in ALL}
    )
