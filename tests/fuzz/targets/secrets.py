"""Targets: the seed file, the 24 words, the passphrase file.

Owns: samples and calls. Must not know: how inputs are made. No refusal repeats a secret.
"""

from contextlib import ExitStack
from pathlib import Path

from swapd.keys import passphrase, seedfile, words
from swapd.keys.errors import KeysError
from swapd.keys.secret import Secret
from tests.fuzz.shapes import Form
from tests.fuzz.target import Opened, Target, bounded, folder

_ENTROPY = Secret(bytes(range(32)))
_PASSPHRASE = Secret(b"correct horse battery")
_CHEAP = seedfile.Cost(1, 8192)


def _fixed(size: int) -> bytes:
    return bytes(range(size))


def _seed_file(_: ExitStack) -> Opened:
    """The file's form and checksum. (Opening it costs what it says, on purpose.)"""
    path = Path("/nowhere/seed.enc")

    def call(data: bytes) -> None:
        try:
            file = seedfile._parse(path, data)
        except KeysError as error:
            bounded(str(error), 2 * 4096)
            raise
        assert file.cost.memory <= 2**30
        assert bytes.fromhex(file.salt)

    sample = seedfile._seal(_ENTROPY, _PASSPHRASE, entropy=_fixed, cost=_CHEAP)
    return Opened([sample], call)


def _seed_open(stack: ExitStack) -> Opened:
    """A whole opening, as long as the file asks for little."""
    path = folder(stack) / "seed.enc"

    def call(data: bytes) -> None:
        file = seedfile._parse(path, data)
        if file.cost != _CHEAP:
            raise KeysError("too dear for a test")
        path.write_bytes(data)
        assert seedfile.load(path, _PASSPHRASE).reveal() == _ENTROPY.reveal()

    sample = seedfile._seal(_ENTROPY, _PASSPHRASE, entropy=_fixed, cost=_CHEAP)
    return Opened([sample], call)


def _words(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        entropy = words.entropy_of(data.decode("utf-8", "replace"))
        assert len(entropy.reveal()) == 32
        assert words.entropy_of(words.words_of(entropy).reveal().decode()).reveal() == (
            entropy.reveal()
        )

    return Opened([words.words_of(_ENTROPY).reveal()], call)


def _passphrase(stack: ExitStack) -> Opened:
    path = folder(stack) / "passphrase"

    def call(data: bytes) -> None:
        path.write_bytes(data)
        found = passphrase.read_file(path)
        seedfile.check_passphrase(found)
        assert found.reveal() in data

    return Opened([b"correct horse battery\n", b"correct horse battery\r\n"], call)


TARGETS = (
    Target("keys.seed_file", Form.JSON, _seed_file, (KeysError,), 2),
    Target("keys.seed_open", Form.JSON, _seed_open, (KeysError,), 0.3),
    Target("keys.words", Form.TEXT, _words, (KeysError,), 0.02, block=20),
    Target("keys.passphrase", Form.BYTES, _passphrase, (KeysError,), 0.2),
)
