"""Owns the encrypted file that holds the seed: its format, and replacing it so that a crash at any
moment leaves a whole one.

Must not know: words, derivation, where the passphrase came from.

The file is JSON, so that its parameters can be read without us. The 32 bytes of entropy are sealed
by XChaCha20-Poly1305 under argon2id(passphrase, salt); version, KDF name, cost, and salt are
authenticated too. The checksum tells a damaged file from a wrong passphrase; it protects nothing.
Sources: RFC 9106 (argon2id), draft-irtf-cfrg-xchacha, libsodium's MODERATE cost (256 MiB, 3
passes).
"""

import contextlib
import hashlib
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from nacl import bindings, pwhash
from nacl.exceptions import CryptoError

from swapd.keys.errors import (
    KeysError,
    SeedFileDamagedError,
    SeedFileExistsError,
    SeedFileMissingError,
    WeakPassphraseError,
    WrongPassphraseError,
)
from swapd.keys.secret import Secret
from swapd.paths import sync_directory
from swapd.ports import Entropy

MIN_PASSPHRASE = 8
"""Characters. argon2id makes a guess dear, it does not make eight letters many."""

_ENTROPY_BYTES = 32
_MAX_FILE = 4096
_MAX_MEMORY = 2**30
_MAX_PASSES = 16


class Cost(Struct, frozen=True, forbid_unknown_fields=True):
    """What one guess costs: argon2id passes and bytes of memory. The upper bounds keep a file
    that somebody changed from stopping the machine."""

    passes: Annotated[int, Meta(ge=1, le=_MAX_PASSES)]
    memory: Annotated[int, Meta(ge=8192, le=_MAX_MEMORY)]


MODERATE = Cost(pwhash.argon2id.OPSLIMIT_MODERATE, pwhash.argon2id.MEMLIMIT_MODERATE)

_Hex = Annotated[str, Meta(pattern="^([0-9a-f]{2})*$")]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """The file's fields; byte strings as hex."""

    swapd_seed: int
    kdf: Literal["argon2id"]
    cost: Cost
    salt: _Hex
    nonce: _Hex
    sealed: _Hex
    checksum: str

    def header(self) -> bytes:
        """What is authenticated beside the entropy."""
        fields = (self.swapd_seed, self.kdf, self.cost.passes, self.cost.memory, self.salt)
        return "/".join(map(str, fields)).encode()

    def computed_checksum(self) -> str:
        """The first 8 bytes of the SHA-256 of everything else, as hex."""
        everything = self.header() + f"/{self.nonce}/{self.sealed}".encode()
        return hashlib.sha256(everything).hexdigest()[:16]


def create(
    path: Path, seed: Secret, passphrase: Secret, *, entropy: Entropy, cost: Cost = MODERATE
) -> None:
    """Write a new seed file, 0600; durable when this returns.

    `seed` is the 32 bytes of entropy. Raises SeedFileExistsError, WeakPassphraseError, KeysError.
    """
    with _system_errors(path):
        if path.exists():
            raise _exists(path)
        partial = _write_partial(path, _seal(seed, passphrase, entropy=entropy, cost=cost))
        try:
            # A link, not a rename: it fails where a file has appeared meanwhile.
            os.link(partial, path)
        except FileExistsError:
            raise _exists(path) from None
        finally:
            partial.unlink()
        sync_directory(path.parent)


def load(path: Path, passphrase: Secret) -> Secret:
    """The 32 bytes of entropy in the file. Takes as long as the file's cost says.

    Raises SeedFileMissingError, SeedFileDamagedError, WrongPassphraseError, KeysError.
    """
    file = _parse(path, _read(path))
    key = _stretch(passphrase, bytes.fromhex(file.salt), file.cost)
    try:
        opened = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            bytes.fromhex(file.sealed), file.header(), bytes.fromhex(file.nonce), key.reveal()
        )
    except CryptoError:
        raise WrongPassphraseError(f"this is not the passphrase of {path}") from None
    if len(opened) != _ENTROPY_BYTES:
        raise _damaged(path, f"{len(opened)} bytes of entropy")
    return Secret(opened)


def change_passphrase(
    path: Path, old: Secret, new: Secret, *, entropy: Entropy, cost: Cost = MODERATE
) -> None:
    """Replace the file by one under `new`: after a crash the old or the new one is there, whole.

    Raises WrongPassphraseError, WeakPassphraseError, SeedFileMissingError, SeedFileDamagedError,
    KeysError.
    """
    content = _seal(load(path, old), new, entropy=entropy, cost=cost)
    with _system_errors(path):
        _write_partial(path, content).replace(path)
        sync_directory(path.parent)


def check_passphrase(passphrase: Secret) -> None:
    """Raises WeakPassphraseError for a passphrase nobody should begin with."""
    if len(_normal(passphrase).decode()) < MIN_PASSPHRASE:
        raise WeakPassphraseError(f"a passphrase has at least {MIN_PASSPHRASE} characters")


def _normal(passphrase: Secret) -> bytes:
    """One spelling of what was typed, whichever keyboard or system composed its accents."""
    try:
        return unicodedata.normalize("NFC", passphrase.reveal().decode()).encode()
    except UnicodeDecodeError:
        raise KeysError("the passphrase is not UTF-8 text") from None


def _stretch(passphrase: Secret, salt: bytes, cost: Cost) -> Secret:
    try:
        size = bindings.crypto_aead_xchacha20poly1305_ietf_KEYBYTES
        normal = _normal(passphrase)
        return Secret(pwhash.argon2id.kdf(size, normal, salt, cost.passes, cost.memory))
    except (CryptoError, MemoryError):
        raise KeysError(
            f"opening the seed needs {cost.memory // 2**20} MiB of memory, which this machine "
            "does not have free now"
        ) from None


def _seal(seed: Secret, passphrase: Secret, *, entropy: Entropy, cost: Cost) -> bytes:
    check_passphrase(passphrase)
    salt = entropy(pwhash.argon2id.SALTBYTES)
    nonce = entropy(bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
    file = _File(1, "argon2id", cost, salt.hex(), nonce.hex(), "", "")
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        seed.reveal(), file.header(), nonce, _stretch(passphrase, salt, cost).reveal()
    )
    file = msgspec.structs.replace(file, sealed=sealed.hex())
    file = msgspec.structs.replace(file, checksum=file.computed_checksum())
    return json.dumps(msgspec.to_builtins(file), indent=1).encode() + b"\n"


def _read(path: Path) -> bytes:
    with _system_errors(path):
        if not path.exists():
            raise SeedFileMissingError(f"there is no seed at {path}: make one with 'swapd init'")
        with path.open("rb") as file:
            return file.read(_MAX_FILE + 1)


def _parse(path: Path, content: bytes) -> _File:
    """Raises SeedFileDamagedError."""
    if len(content) > _MAX_FILE:
        raise _damaged(path, f"more than {_MAX_FILE} bytes")
    try:
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from None
    if file.swapd_seed != 1:
        raise SeedFileDamagedError(
            f"{path} has version {file.swapd_seed}, this swapd knows version 1: "
            "use the newer swapd that wrote it"
        )
    if file.checksum != file.computed_checksum():
        raise _damaged(path, "its checksum does not match")
    if len(file.salt) != 2 * pwhash.argon2id.SALTBYTES:
        raise _damaged(path, "its salt has another length")
    if len(file.nonce) != 2 * bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES:
        raise _damaged(path, "its nonce has another length")
    return file


def _write_partial(path: Path, content: bytes) -> Path:
    """The content, durable, beside `path` under another name. The caller holds the data
    directory's lock, so a file of that name is left over from a crash."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        partial.unlink()
        raise
    return partial


@contextlib.contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeysError(f"{path} cannot be read or written: {error.strerror or error}") from error


def _exists(path: Path) -> SeedFileExistsError:
    return SeedFileExistsError(
        f"there is a seed at {path} already, and coins may hang on it: move it away yourself "
        "if you are sure, or use another data directory"
    )


def _damaged(path: Path, what: str) -> SeedFileDamagedError:
    return SeedFileDamagedError(
        f"{path} is damaged or no seed file ({what}): move it away and restore the seed from its "
        "24 words with 'swapd init --restore'"
    )
