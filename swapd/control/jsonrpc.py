"""JSON-RPC 2.0 over newline-framed bytes, without any I/O.

Owns: lines out of bytes, requests out of lines, replies and notifications into lines.
Must not know: sockets, time, which methods there are.

One JSON value per line (a newline inside a JSON string is always escaped, so this is exact). What
a client sends is untrusted: every refusal here is an `ApiError` of JSON-RPC's own block, with the
request's id where one could be read.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from swapd.api.errors import ApiError, ErrorName

MAX_LINE = 1024 * 1024
MAX_BATCH = 50
MAX_ID = 200
_MAX_WHY = 300
"""Characters of a refusal: it quotes the client, who may have sent a megabyte of nonsense."""

Id = int | str | None


class Request(Struct, frozen=True):
    """One call. `id` is UNSET for a notification, which gets no reply; `params` is undecoded."""

    method: str
    id: Id | UnsetType
    params: bytes


class Invalid(Struct, frozen=True):
    """Something that is not a call: answered with `error` under `id` (None when unreadable)."""

    id: Id
    error: ApiError


class Batch(Struct, frozen=True):
    """Several calls in one line, answered in one line."""

    items: tuple[Request | Invalid, ...]


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    jsonrpc: str
    method: str
    id: Id | UnsetType = UNSET
    params: Raw = field(default_factory=lambda: Raw(b"{}"))


_envelope = msgspec.json.Decoder(_Envelope)
_batch = msgspec.json.Decoder(list[Raw])


class LineTooLongError(Exception):
    """More bytes without a newline than a line may have: the connection can't be understood."""


class Lines:
    """Cuts a byte stream into lines of at most `limit` bytes."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> None:
        """Takes more bytes; afterwards `next` until it has no more."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next complete, non-empty line without its newline, or None. Raises
        LineTooLongError."""
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if (end if end >= 0 else len(self._buffer)) > self._limit:
                raise LineTooLongError
            if end < 0:
                self._searched = len(self._buffer)
                return None
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[: end + 1]
            self._searched = 0
            if line:
                return line


def parse(line: bytes) -> Request | Invalid | Batch:
    """What a line asks for. Never raises: what is wrong comes back as `Invalid`."""
    if not line.startswith(b"["):
        return _parse_one(line)
    try:
        items = _batch.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        return Invalid(None, ApiError(ErrorName.PARSE_ERROR, f"not JSON: {e}"))
    if not 1 <= len(items) <= MAX_BATCH:
        text = f"a batch has 1 to {MAX_BATCH} calls, not {len(items)}"
        return Invalid(None, ApiError(ErrorName.INVALID_REQUEST, text))
    return Batch(tuple(_parse_one(bytes(item)) for item in items))


def _parse_one(text: bytes) -> Request | Invalid:
    try:
        envelope = _envelope.decode(text)
    except msgspec.ValidationError as e:
        return _not_a_request(text, f"not a request: {e}"[:_MAX_WHY])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        return Invalid(None, ApiError(ErrorName.PARSE_ERROR, f"not JSON: {e}"))
    if envelope.jsonrpc != "2.0":
        text_ = f'"jsonrpc" must be "2.0", not {envelope.jsonrpc[:20]!r}'
        return _not_a_request(text, text_)
    if isinstance(envelope.id, str) and len(envelope.id) > MAX_ID:
        text_ = f"an id has at most {MAX_ID} characters"
        return Invalid(None, ApiError(ErrorName.INVALID_REQUEST, text_))
    return Request(envelope.method, envelope.id, bytes(envelope.params))


def _not_a_request(text: bytes, why: str) -> Invalid:
    """The refusal of something that is JSON (if it is), under its id as far as it has one."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        return Invalid(None, ApiError(ErrorName.PARSE_ERROR, f"not JSON: {e}"))
    found = value.get("id") if isinstance(value, dict) else None
    known = isinstance(found, int) and not isinstance(found, bool)
    known = known or (isinstance(found, str) and len(found) <= MAX_ID)
    return Invalid(found if known else None, ApiError(ErrorName.INVALID_REQUEST, why))


def to_json(value: object) -> bytes:
    """The text of a value whose numbers may be of our own kinds."""
    return msgspec.json.encode(value, enc_hook=_plain)


def _plain(value: object) -> int:
    """A number of a kind of its own, such as one read from a journal, as any other."""
    if isinstance(value, int):
        return int(value)
    msg = f"{type(value).__name__} has no form in JSON"
    raise NotImplementedError(msg)


def result_reply(request_id: Id, result: object) -> bytes:
    """A reply without its newline."""
    return to_json({"jsonrpc": "2.0", "id": request_id, "result": result})


def error_reply(request_id: Id, error: ApiError) -> bytes:
    """An error reply without its newline; name, retryable and remedy are in its `data`."""
    data: dict[str, Any] = {
        "name": error.name,
        "retryable": error.retryable,
        "remedy": error.remedy,
    }
    if error.detail:
        data["detail"] = error.detail
    body = {"code": error.code, "message": error.message, "data": data}
    return to_json({"jsonrpc": "2.0", "id": request_id, "error": body})


def batch_reply(replies: Sequence[bytes]) -> bytes:
    """Several replies as one line."""
    return b"[" + b",".join(replies) + b"]"


def notification(method: str, params: object) -> bytes:
    """A message that wants no answer."""
    return to_json({"jsonrpc": "2.0", "method": method, "params": params})


def call(request_id: Id, method: str, params: Mapping[str, object] | Struct) -> bytes:
    """A request, for clients."""
    return to_json({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


class ErrorData(Struct, frozen=True):
    """What our errors carry beside code and message."""

    name: str = "unknown"
    retryable: bool = False
    remedy: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


class ErrorBody(Struct, frozen=True):
    """An error reply as a client reads it."""

    code: int
    message: str
    data: ErrorData = field(default_factory=ErrorData)


class Incoming(Struct, frozen=True):
    """Anything a server sends, as a client reads it: a reply (`id` set) or a notification."""

    id: Id | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: ErrorBody | None = None
    method: str | None = None
    params: Raw | UnsetType = UNSET


_incoming = msgspec.json.Decoder(Incoming)


def read_incoming(line: bytes) -> Incoming:
    """A line of the server. Raises msgspec.DecodeError."""
    with _one_error():
        return _incoming.decode(line)


def read_result(result: bytes, kind: Any = Any) -> Any:
    """A result of the server as `kind`, or as plain JSON values. Raises msgspec.DecodeError."""
    with _one_error():
        return msgspec.json.decode(result, type=kind)


@contextmanager
def _one_error() -> Iterator[None]:
    """msgspec lets text that is not UTF-8, and nesting that is too deep, through as they are."""
    try:
        yield
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
