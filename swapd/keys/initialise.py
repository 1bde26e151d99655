"""Owns `swapd init`: a new seed, one from words, another passphrase; and opening it at start.

Must not know: the command line's flags, where files lie, exit codes. The caller holds the data
directory's lock. Nothing here writes words anywhere but to the console it was given, once.
"""

import getpass
import sys
from pathlib import Path
from typing import TextIO

from swapd.keys import seedfile, words
from swapd.keys.errors import KeysError, SeedFileExistsError
from swapd.keys.passphrase import Console
from swapd.keys.secret import Secret
from swapd.keys.seedfile import MODERATE, Cost
from swapd.ports import Entropy

_ASKED_WORDS = 3
_TRIES = 3

_ADVICE = """\
These 24 words are your money. Whoever has them can take it; without them, and without this
machine, it is gone. Write them down on paper, in order. They are shown this once only.
"""


class Terminal:
    """The person at this process's terminal."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out

    def show(self, text: str) -> None:
        """Write lines."""
        self._out.write(text + "\n")
        self._out.flush()

    def ask(self, question: str) -> str:
        """Read a line. Raises EOFError."""
        return input(question)

    def ask_secret(self, question: str) -> str:
        """Read a line without echo. Raises EOFError."""
        return getpass.getpass(question)


def create(
    path: Path,
    passphrase: Secret,
    console: Console,
    *,
    entropy: Entropy,
    confirm: bool,
    cost: Cost = MODERATE,
) -> None:
    """Make a seed, show its words once, have some of them typed back when `confirm`, and only
    then write the file: who breaks off has nothing to lose.

    Raises KeysError and its kinds.
    """
    _check_absent(path)
    seedfile.check_passphrase(passphrase)
    seed = Secret(entropy(words.ENTROPY_BYTES))
    listed = words.words_of(seed).reveal().decode().split()
    console.show(_ADVICE)
    console.show(_table(listed))
    if confirm:
        _confirm(listed, console, entropy)
    seedfile.create(path, seed, passphrase, entropy=entropy, cost=cost)
    console.show(f"\nThe seed is encrypted in {path}.")


def restore(
    path: Path,
    passphrase: Secret,
    console: Console,
    *,
    entropy: Entropy,
    text: str | None = None,
    cost: Cost = MODERATE,
) -> None:
    """Write the seed file of known words: `text`, or asked for.

    Raises BadWordsError and the other kinds of KeysError.
    """
    _check_absent(path)
    seedfile.check_passphrase(passphrase)
    if text is None:
        text = _answer(console, "The 24 words, in order, on one line: ", secret=True)
    seed = words.entropy_of(text)
    seedfile.create(path, seed, passphrase, entropy=entropy, cost=cost)
    console.show(f"The seed is restored and encrypted in {path}.")


def change_passphrase(
    path: Path,
    old: Secret,
    new: Secret,
    console: Console,
    *,
    entropy: Entropy,
    cost: Cost = MODERATE,
) -> None:
    """Encrypt the same seed under another passphrase. Raises KeysError and its kinds."""
    seedfile.change_passphrase(path, old, new, entropy=entropy, cost=cost)
    console.show(f"{path} opens with the new passphrase now; the 24 words stay the same.")


def open_seed(path: Path, passphrase: Secret) -> Secret:
    """The 64-byte seed for `SeedSigner`. Takes about a second by design.

    Raises SeedFileMissingError, SeedFileDamagedError, WrongPassphraseError, KeysError.
    """
    return words.seed_of(seedfile.load(path, passphrase))


def _check_absent(path: Path) -> None:
    """Early, so that nobody writes down words in vain."""
    if path.exists():
        raise SeedFileExistsError(
            f"there is a seed at {path} already, and coins may hang on it: nothing was changed"
        )


def _table(listed: list[str]) -> str:
    """Six rows of four numbered words, read row by row."""
    cells = [f"{place:2}. {word:<9}" for place, word in enumerate(listed, 1)]
    rows = [cells[start : start + 4] for start in range(0, len(cells), 4)]
    return "\n".join("  ".join(row).rstrip() for row in rows)


def _confirm(listed: list[str], console: Console, entropy: Entropy) -> None:
    """Raises KeysError when the words were not written down."""
    console.show("\nTo be sure that they are on paper, type some of them.")
    for place in _places(entropy):
        _ask_word(place, listed[place - 1], console)


def _places(entropy: Entropy) -> list[int]:
    """Some different places, 1 to 24, in order."""
    left = list(range(1, words.WORD_COUNT + 1))
    drawn = [left.pop(byte % len(left)) for byte in entropy(_ASKED_WORDS)]
    return sorted(drawn)


def _ask_word(place: int, word: str, console: Console) -> None:
    for _ in range(_TRIES):
        if _answer(console, f"Word {place}: ", secret=False).strip().lower() == word:
            return
        console.show(f"That is not word {place}.")
    raise KeysError("the words were not confirmed: nothing was written, begin again")


def _answer(console: Console, question: str, *, secret: bool) -> str:
    try:
        return console.ask_secret(question) if secret else console.ask(question)
    except EOFError:
        raise KeysError("nobody answered: nothing was written") from None
