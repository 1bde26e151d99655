"""What goes wrong with the seed, as types. Must not know: how it is shown, exit codes."""

from swapd.ports import PortError


class KeysError(PortError):
    """Any error of this package. The message says what was wrong and what to do, no secret."""


class SeedFileMissingError(KeysError):
    """There is no seed file yet."""


class SeedFileExistsError(KeysError):
    """There is a seed file already: it is never overwritten."""


class SeedFileDamagedError(KeysError):
    """The file is no seed file of ours, or was changed."""


class WrongPassphraseError(KeysError):
    """The passphrase does not open the seed file."""


class WeakPassphraseError(KeysError):
    """The passphrase is too short to protect anything."""


class BadWordsError(KeysError):
    """These are not the words of a seed."""


class SigningError(KeysError):
    """A signature failed its own check after signing: a fault of this machine."""
