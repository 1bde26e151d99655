"""Hashes and signatures, against BIP340's own vectors and BIP340 written out by hand."""

import hashlib

import coincurve
import pytest

from protocol.errors import LocalProtocolError, Refusal, RemoteProtocolError
from protocol.signing import (
    PublicKey,
    Signature,
    Tag,
    check_signed,
    is_signed,
    public_key,
    sign,
    tagged_hash,
)
from tests.protocol.base import make_vectors
from tests.protocol.base.vectors import FOLDER, Json, case_id, load

VECTORS = load("signing")
SECRET, AUX = bytes.fromhex(VECTORS["secret"]), bytes.fromhex(VECTORS["aux"])
KEY = PublicKey(bytes.fromhex(VECTORS["public_key"]))


def test_the_generated_files_are_what_the_generator_writes() -> None:
    for name, text in make_vectors.files().items():
        assert (FOLDER / name).read_text("utf-8") == text, f"{name}: run make_vectors again"


@pytest.mark.parametrize("case", VECTORS["bip340"], ids=lambda c: f"row {c['index']}")
def test_our_curve_library_agrees_with_the_published_vectors(case: Json) -> None:
    key, message, signature = (
        bytes.fromhex(case[name]) for name in ("public_key", "message", "signature")
    )
    try:
        good = coincurve.PublicKeyXOnly(key).verify(signature, message)
    except ValueError:
        good = False
    assert good is case["good"]
    if case["secret"]:
        secret = bytes.fromhex(case["secret"])
        assert public_key(secret) == key
        made = coincurve.PrivateKey(secret).sign_schnorr(message, bytes.fromhex(case["aux"]))
        assert made == signature


@pytest.mark.parametrize("case", VECTORS["signed"], ids=lambda c: f"{c['tag']} {len(c['message'])}")
def test_a_message_is_signed_under_its_tag(case: Json) -> None:
    tag, message = Tag(case["tag"]), bytes.fromhex(case["message"])
    signature = sign(SECRET, tag, message, AUX)
    assert tagged_hash(tag, message).hex() == case["hash"]
    assert signature.hex() == case["signature"]
    assert is_signed(KEY, tag, message, signature)
    check_signed(KEY, tag, message, signature)


@pytest.mark.parametrize("case", VECTORS["refused"], ids=case_id)
def test_a_signature_that_does_not_fit_is_refused_and_never_raises_in_between(case: Json) -> None:
    key, message, signature = (
        bytes.fromhex(case[name]) for name in ("public_key", "message", "signature")
    )
    assert not is_signed(PublicKey(key), Tag(case["tag"]), message, signature)
    with pytest.raises(RemoteProtocolError) as caught:
        check_signed(PublicKey(key), Tag(case["tag"]), message, signature)
    assert caught.value.refusal is Refusal.BAD_SIGNATURE


def test_the_vectors_cover_every_tag() -> None:
    assert {case["tag"] for case in VECTORS["signed"]} == {tag.value for tag in Tag}


def test_a_signature_of_one_kind_never_fits_another() -> None:
    for made in Tag:
        signature = sign(SECRET, made, b"the same message", AUX)
        fits = [tag for tag in Tag if is_signed(KEY, tag, b"the same message", signature)]
        assert fits == [made]


def test_a_tagged_hash_is_two_prefixes_and_the_message() -> None:
    head = hashlib.sha256(b"swapd/offer/1").digest()
    assert tagged_hash(Tag.OFFER, b"x") == hashlib.sha256(head + head + b"x").digest()


@pytest.mark.parametrize(("secret", "aux"), [(31, 32), (33, 32), (32, 31), (32, 0)])
def test_signing_takes_exactly_32_bytes_of_each(secret: int, aux: int) -> None:
    with pytest.raises(LocalProtocolError):
        sign(b"\x01" * secret, Tag.OFFER, b"", bytes(aux))


def test_every_flipped_bit_of_a_signature_spoils_it() -> None:
    good = sign(SECRET, Tag.TERMS, b"terms", AUX)
    for bit in range(0, 512, 7):
        number = int.from_bytes(good, "big") ^ (1 << bit)
        bad = Signature(number.to_bytes(64, "big"))
        assert not is_signed(KEY, Tag.TERMS, b"terms", bad)
