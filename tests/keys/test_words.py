"""The words of a seed, against published vectors and people's mistakes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from protocol.errors import LocalProtocolError
from swapd.keys import words
from swapd.keys.errors import BadWordsError
from swapd.keys.secret import Secret
from tests.keys import independent

# trezor/python-mnemonic vectors.json, the ones with 24 words; seeds under the passphrase "TREZOR".
PUBLISHED = [
    (
        "00" * 32,
        "abandon " * 23 + "art",
        (
            "bda85446c68413707090a52022edd26a1c9462295029f2e60cd7c4f2bbd30971"
            "70af7a4d73245cafa9c3cca8d561a7c3de6f5d4a10be8ed2a5e608d68f92fcc8"
        ),
    ),
    (
        "7f" * 32,
        "legal winner thank year wave sausage worth useful " * 2
        + "legal winner thank year wave sausage worth title",
        (
            "bc09fca1804f7e69da93c2f2028eb238c227f2e9dda30cd63699232578480a40"
            "21b146ad717fbb7e451ce9eb835f43620bf5c514db0f8add49f5d121449d3e87"
        ),
    ),
    (
        "80" * 32,
        "letter advice cage absurd amount doctor acoustic avoid " * 2
        + "letter advice cage absurd amount doctor acoustic bless",
        (
            "c0c519bd0e91a2ed54357d9d1ebef6f5af218a153624cf4f2da911a0ed8f7a09"
            "e2ef61af0aca007096df430022f7a2b6fb91661a9589097069720d015e4e982f"
        ),
    ),
    (
        "ff" * 32,
        "zoo " * 23 + "vote",
        (
            "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e16"
            "13912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad"
        ),
    ),
]


@pytest.mark.parametrize(("entropy", "mnemonic", "seed"), PUBLISHED)
def test_the_published_vectors_of_bip39(entropy: str, mnemonic: str, seed: str) -> None:
    assert words.words_of(Secret(bytes.fromhex(entropy))).reveal().decode() == mnemonic
    assert words.entropy_of(mnemonic).reveal().hex() == entropy
    # Ours never takes a BIP39 passphrase; the second implementation, which is compared to ours
    # without one everywhere below, is proven with it here.
    assert independent.seed_of(mnemonic, "TREZOR").hex() == seed


def test_the_words_are_the_published_list() -> None:
    assert list(words.wordlist()) == Mnemonic("english").wordlist


@given(st.binary(min_size=32, max_size=32))
def test_every_entropy_comes_back_and_agrees_with_a_second_implementation(entropy: bytes) -> None:
    spelled = words.words_of(Secret(entropy)).reveal().decode()
    assert spelled == independent.mnemonic_of(entropy)
    assert words.entropy_of(spelled).reveal() == entropy


def test_the_seed_is_bip39s_without_a_passphrase() -> None:
    entropy = bytes(range(32))
    expected = independent.seed_of(independent.mnemonic_of(entropy))
    assert words.seed_of(Secret(entropy)).reveal() == expected


def test_case_and_spacing_do_not_matter() -> None:
    typed = "\n  ".join(PUBLISHED[1][1].upper().split()) + " \t"
    assert words.entropy_of(typed).reveal() == b"\x7f" * 32


BAD_WORDS: list[dict[str, Any]] = json.loads(independent.VECTORS.read_bytes())["bad_words"]


@pytest.mark.parametrize("case", BAD_WORDS, ids=lambda case: case["names"])
def test_wrong_words_are_refused_by_name(case: dict[str, str]) -> None:
    with pytest.raises(BadWordsError) as caught:
        words.entropy_of(case["words"])
    assert case["names"] in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("abandonn", "abandon"), ("abandno", "abandon"), ("leter", "letter"), ("zooo", "zoo")],
)
def test_an_unknown_word_comes_with_a_guess(typed: str, meant: str) -> None:
    with pytest.raises(BadWordsError, match=f"did you mean.*{meant}"):
        words.entropy_of(" ".join([typed, *PUBLISHED[0][1].split()[1:]]))


def test_an_error_never_repeats_the_known_words() -> None:
    rest = PUBLISHED[1][1].split()[1:]
    with pytest.raises(BadWordsError) as caught:
        words.entropy_of(" ".join(["qqqqqqqq", *rest]))
    assert not any(word in str(caught.value) for word in ("winner", "sausage", "useful"))


def test_other_sizes_of_entropy_are_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="32 bytes"):
        words.words_of(Secret(bytes(16)))
