"""A mutating call that is repeated with its key happens once.

Owns: the record of each key in the store. Must not know: what the calls do.

A key is written down *before* its call begins and completed with the result after it, so a crash
in between leaves a record without result: a repetition is then refused (the caller must look what
happened) rather than done twice. An `ApiError` promises that nothing was committed, so it frees
the key: the same call may be repeated, for example after a deposit.
"""

import hashlib
from collections.abc import Awaitable, Callable

import msgspec
import trio
from msgspec import Raw, Struct

from swapd.api.errors import ApiError, ErrorName
from swapd.control.jsonrpc import to_json
from swapd.ports import Clock, Store, StoreError

SPACE = "idempotency"
KEEP_SECONDS = 7 * 86_400
_PRUNE_EVERY = 1000


class _Record(Struct, frozen=True):
    """`result` is the encoded result, None while the call is under way."""

    fingerprint: str
    at: int
    result: bytes | None = None


_record = msgspec.msgpack.Decoder(_Record)


def _decode(key: str, data: bytes) -> _Record:
    """Raises StoreError for what we did not write."""
    try:
        return _record.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"the record of the call with idempotency key {key[:100]!r} is damaged: {error}"
        raise StoreError(message) from error


class Idempotency:
    """Remembers calls by key for at least a week."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._running: dict[str, trio.Event] = {}
        self._written = 0

    async def run(
        self, method: str, params: Struct, perform: Callable[[], Awaitable[Struct]]
    ) -> Struct | Raw:
        """The result of `perform`, or what it was the first time. Raises what `perform` raises,
        and ApiError idempotency_conflict, idempotency_unknown."""
        key: str | None = getattr(params, "idempotency_key", None)
        if key is None:
            return await perform()
        while key in self._running:
            await self._running[key].wait()
        done = self._running[key] = trio.Event()
        try:
            return await self._once(key, _fingerprint(method, params), perform)
        finally:
            del self._running[key]
            done.set()

    async def _once(
        self, key: str, fingerprint: str, perform: Callable[[], Awaitable[Struct]]
    ) -> Struct | Raw:
        begun = _Record(fingerprint, self._clock.now())
        old = await self._store.put_new(SPACE, key, msgspec.msgpack.encode(begun))
        if old is not None:
            return _replay(_decode(key, old), fingerprint)
        try:
            result = await perform()
        except ApiError:
            await self._store.delete(SPACE, key)
            raise
        finished = _Record(fingerprint, begun.at, to_json(result))
        # The call has happened: being cancelled now must not leave its key without the result.
        with trio.CancelScope(shield=True):
            await self._store.put(SPACE, key, msgspec.msgpack.encode(finished))
        self._written += 1
        if self._written % _PRUNE_EVERY == 0:
            await self.prune()
        return result

    async def prune(self) -> None:
        """Forgets keys older than a week; called at start too."""
        oldest = self._clock.now() - KEEP_SECONDS
        for key, value in await self._store.items(SPACE):
            if _decode(key, value).at < oldest and key not in self._running:
                await self._store.delete(SPACE, key)


def _replay(record: _Record, fingerprint: str) -> Raw:
    if record.fingerprint != fingerprint:
        raise ApiError(
            ErrorName.IDEMPOTENCY_CONFLICT,
            "this idempotency key was used for a call with another method or other parameters",
        )
    if record.result is None:
        raise ApiError(
            ErrorName.IDEMPOTENCY_UNKNOWN,
            "the first call with this key was interrupted: whether it happened is not known",
        )
    return Raw(record.result)


def _fingerprint(method: str, params: Struct) -> str:
    fields = msgspec.structs.asdict(params)
    del fields["idempotency_key"]
    text = msgspec.json.encode([method, fields], order="sorted")
    return hashlib.sha256(text).hexdigest()
