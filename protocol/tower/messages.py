"""The messages of "/swapd/tower/1", between a client and its watchtower.

Owns: their shapes and sizes, tickets. Must not know: what a tower does with a package.

    client -> tower   put     keep this package in place of any older one of this ticket
    tower -> client   kept    I do, with this digest
    client -> tower   ask     what do you hold for these tickets, and prove it
    tower -> client   held    the proofs, how far each got, and the chains as I see them
    client -> tower   drop    forget this ticket
    tower -> client   gone    I did, or never knew it
    tower -> client   refuse  by name

Any number of questions, one after the other, on one stream. A ticket is 32 bytes that nobody else
can know: whoever has it may replace, ask for and drop what lies under it. It comes from the swap's
salt and the tower's peer id, so that two towers can't tell by it that they serve the same swap.
"""

import enum
from typing import Annotated, Final, TypeAlias, cast

from msgspec import Meta, Struct

from protocol.codec import decode, encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.evm.address import ADDRESS_SIZE
from protocol.limits import MAX_DETAIL_CHARS
from protocol.negotiation.messages import readable
from protocol.signing import Tag, tagged_hash
from protocol.terms import LegName
from protocol.tower.package import MAX_PACKAGE_BYTES, Act

PROTOCOL_ID: Final = "/swapd/tower/1"

MAX_MESSAGE_BYTES: Final = MAX_PACKAGE_BYTES + 1024
MAX_TICKETS: Final = 128
"""Tickets of one question."""

MAX_CHAINS: Final = 16
NONCE_BYTES: Final = 32

Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Whole = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Put(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="put"):
    """`package` is an encoded Package."""

    ticket: Bytes32
    package: Annotated[bytes, Meta(min_length=1, max_length=MAX_PACKAGE_BYTES)]


class Kept(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="kept"):
    """`digest` is that of the package which is stored now."""

    ticket: Bytes32
    digest: Bytes32


class Ask(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="ask"):
    """`nonce` is fresh for each question."""

    nonce: Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    tickets: Annotated[tuple[Bytes32, ...], Meta(max_length=MAX_TICKETS)]


class Stage(enum.StrEnum):
    """How far a package got. Wire names. `none`: nothing is held; `waiting`: its lock is not in a
    block, or nothing is due; `acting`: a spend was sent; `spent`: the leg is spent for good."""

    NONE = "none"
    WAITING = "waiting"
    ACTING = "acting"
    SPENT = "spent"


class Holding(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What lies under a ticket: `proof` is `proof_of_keeping` for the question's nonce (empty when
    nothing does), `seen` whether its lock was in a block, `txid` the last spend sent or empty."""

    ticket: Bytes32
    sequence: Whole
    proof: Annotated[bytes, Meta(max_length=32)]
    stage: Stage
    seen: bool
    txid: Annotated[str, Meta(max_length=64)]


class Tip(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One chain as the tower sees it; `problem` is why it can't, or could not act there, or empty.
    `account`: where the tower pays for what it sends there, the account that fees may name."""

    chain: Annotated[str, Meta(max_length=64)]
    height: Whole
    median_time: Whole
    problem: Annotated[str, Meta(max_length=MAX_DETAIL_CHARS)]
    account: Annotated[bytes, Meta(max_length=ADDRESS_SIZE)] = b""


class Held(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="held"):
    """In the order of the question."""

    holdings: Annotated[tuple[Holding, ...], Meta(max_length=MAX_TICKETS)]
    tips: Annotated[tuple[Tip, ...], Meta(max_length=MAX_CHAINS)]


class Drop(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="drop"):
    """The client looks after itself."""

    ticket: Bytes32


class Gone(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="gone"):
    """Nothing lies under the ticket."""

    ticket: Bytes32


class Refuse(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="refuse"):
    """No, and why; what was held before is still held."""

    refusal: Refusal
    detail: Annotated[str, Meta(max_length=MAX_DETAIL_CHARS)]


Question: TypeAlias = Put | Ask | Drop
Answer: TypeAlias = Kept | Held | Gone | Refuse


def read_question(data: bytes) -> Question:
    """Raises DecodeError."""
    # A union is not a `type` to mypy; msgspec takes it.
    kind = cast("type[object]", Question)
    return cast("Question", decode(kind, data, max_size=MAX_MESSAGE_BYTES))


def read_answer(data: bytes) -> Answer:
    """Raises DecodeError."""
    kind = cast("type[object]", Answer)
    return cast("Answer", decode(kind, data, max_size=MAX_MESSAGE_BYTES))


def refuse(error: RemoteProtocolError) -> bytes:
    """The bytes of the refusal that `error` asks for."""
    return encode(Refuse(error.refusal, readable(error.detail)))


def ticket(salt: bytes, tower: str, leg: LegName, act: Act) -> bytes:
    """The ticket of one package of the swap with this salt at the tower with this peer id."""
    place = f"{tower}/{leg.value}/{act.value}".encode()
    return tagged_hash(Tag.TOWER_TICKET, salt + place)
