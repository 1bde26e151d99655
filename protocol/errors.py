"""Whose fault an error is, as types.

Owns: the two kinds of protocol error and the closed list of refusals that travel on the wire.
Must not know: transports, logging, what a caller does about an error.

`RemoteProtocolError` is *their* fault: it carries the refusal to answer with and never trips an
assert. `LocalProtocolError` is our own bug or misuse.
"""

import enum


class Refusal(enum.StrEnum):
    """Why a message or a take is refused. Values are wire names: never renamed, never reused."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNKNOWN_VERSION = "unknown_version"
    UNEXPECTED_MESSAGE = "unexpected_message"
    WRONG_SWAP = "wrong_swap"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_OFFER = "unknown_offer"
    OFFER_EXPIRED = "offer_expired"
    OFFER_CANCELLED = "offer_cancelled"
    OWN_OFFER = "own_offer"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    AMOUNT_TAKEN = "amount_taken"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    BELOW_ECONOMIC_MINIMUM = "below_economic_minimum"
    LIMIT_REACHED = "limit_reached"
    UNSUPPORTED_KIND = "unsupported_kind"
    UNSUPPORTED_ASSET = "unsupported_asset"
    WRONG_CHAIN = "wrong_chain"
    WRONG_TERMS = "wrong_terms"
    WRONG_EXPIRY = "wrong_expiry"
    WRONG_KEY = "wrong_key"
    REUSED_HASHLOCK = "reused_hashlock"
    DEPTH_TOO_SMALL = "depth_too_small"
    EXPOSURE_TOO_LONG = "exposure_too_long"
    BAD_PROOF_OF_FUNDS = "bad_proof_of_funds"
    CLOCK_SKEW = "clock_skew"
    TOO_LATE = "too_late"
    NODE_NOT_READY = "node_not_ready"
    BUSY = "busy"
    SHUTTING_DOWN = "shutting_down"
    INTERNAL = "internal"


class ProtocolError(Exception):
    """Never raised itself: see its two children."""


class LocalProtocolError(ProtocolError):
    """Our own mistake: the caller broke a rule of this package."""


class RemoteProtocolError(ProtocolError):
    """The other side broke a rule. `refusal` is what to answer, `detail` what to say and log."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(f"{refusal.value}: {detail}")
        self.refusal = refusal
        self.detail = detail


class DecodeError(RemoteProtocolError):
    """Bytes that are not the canonical form of what was expected."""

    def __init__(self, detail: str, refusal: Refusal = Refusal.MALFORMED) -> None:
        super().__init__(refusal, detail)
