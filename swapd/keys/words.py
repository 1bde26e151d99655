"""Owns the 24 words of a seed: made from entropy, read back with errors that help.

Must not know: files, passphrases of the seed file, derivation paths.
Source: BIP39, English list. A BIP39 passphrase ("25th word") is not used: the seed file has its
own, and one that is forgotten would silently make another seed.
"""

import difflib
import unicodedata
from functools import cache

import wallycore

from protocol.errors import LocalProtocolError
from swapd.keys.errors import BadWordsError
from swapd.keys.secret import Secret

WORD_COUNT = 24
ENTROPY_BYTES = 32
_LIST_SIZE = 2048


@cache
def wordlist() -> tuple[str, ...]:
    """The 2048 English words of BIP39 in order."""
    words = wallycore.bip39_get_wordlist("en")
    return tuple(wallycore.bip39_get_word(words, index) for index in range(_LIST_SIZE))


def words_of(entropy: Secret) -> Secret:
    """The 24 words (ASCII, one space between) that stand for 32 bytes of entropy."""
    if len(entropy.reveal()) != ENTROPY_BYTES:
        msg = f"a seed has {ENTROPY_BYTES} bytes of entropy, not {len(entropy.reveal())}"
        raise LocalProtocolError(msg)
    words = wallycore.bip39_get_wordlist("en")
    return Secret(wallycore.bip39_mnemonic_from_bytes(words, entropy.reveal()).encode())


def entropy_of(text: str) -> Secret:
    """The 32 bytes of entropy behind 24 words, in any case and spacing.

    Raises BadWordsError, which names the first words that are not in the list and what may have
    been meant, or says that the count or the checksum is wrong.
    """
    words = unicodedata.normalize("NFKD", text).lower().split()
    _check_known(words)
    if len(words) != WORD_COUNT:
        msg = f"a seed has {WORD_COUNT} words, these are {len(words)}"
        raise BadWordsError(msg)
    try:
        entropy = wallycore.bip39_mnemonic_to_bytes(
            wallycore.bip39_get_wordlist("en"), " ".join(words)
        )
    except ValueError:
        msg = (
            "all words are known but their checksum is wrong: "
            "one is another word of the list, or two have changed places"
        )
        raise BadWordsError(msg) from None
    return Secret(bytes(entropy))


def _check_known(words: list[str]) -> None:
    """Raises BadWordsError naming each unknown word by its place, with the nearest known ones."""
    known = frozenset(wordlist())
    unknown = [(place, word) for place, word in enumerate(words, 1) if word not in known]
    if unknown:
        told = "; ".join(_unknown(place, word) for place, word in unknown[:5])
        raise BadWordsError(told)


def _unknown(place: int, word: str) -> str:
    # Four letters tell all words of the list apart, so a prefix is the best guess there is.
    near = [candidate for candidate in wordlist() if len(word) >= 4 and candidate[:4] == word[:4]]
    near = near or difflib.get_close_matches(word[:16], wordlist(), n=3, cutoff=0.7)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    return f"word {place}, {word[:16]!r}, is not a word of the list{hint}"


def seed_of(entropy: Secret) -> Secret:
    """The 64-byte BIP39 seed: PBKDF2 over the words, without a BIP39 passphrase."""
    words = words_of(entropy).reveal().decode()
    return Secret(bytes(wallycore.bip39_mnemonic_to_seed512(words, None)))
