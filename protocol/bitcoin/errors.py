"""What goes wrong with bitcoin data, as types.

Owns: the errors of this package. Whose fault one is depends on where the bytes came from, so the
caller decides: bytes of a peer become a `RemoteProtocolError` there, our own figures a message to
the operator.
Must not know: peers, refusals on the wire.

They are ValueErrors too, because msgspec turns those into its own ValidationError when a struct
is decoded from untrusted bytes.
"""

from protocol.errors import ProtocolError


class BitcoinError(ProtocolError, ValueError):
    """Any error of `protocol.bitcoin`. The message says what was wrong, and what would be right."""


class UnknownChainError(BitcoinError):
    """No chain of the family has this name, network or CAIP-2 id."""


class TransactionError(BitcoinError):
    """Bytes that are no transaction, or figures that no transaction can hold."""


class AddressError(BitcoinError):
    """Not an address of this chain, or a script that has no address."""


class HtlcError(BitcoinError):
    """Parameters no HTLC may have, or a script that is not ours."""


class SpendError(BitcoinError):
    """A spend that cannot be built: dust, fee, destination, missing input."""


class SignatureError(BitcoinError):
    """A signature that is malformed, not low-R and low-S, or not by this key over this hash."""


class ProofOfFundsError(BitcoinError):
    """A proof of funds that proves nothing."""
