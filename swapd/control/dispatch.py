"""A validated call to the daemon and back: which coroutine does it, and what its failure is
called on the socket.

Owns: the way from a table row to `Operations`, and from any exception to an `ApiError`.
Must not know: sockets, connections.
"""

import secrets
from collections.abc import Callable

import structlog
import trio
from msgspec import Raw, Struct

from swapd import ports
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.operations import Operations
from swapd.api.table import Method
from swapd.control.idempotency import Idempotency

_log = structlog.get_logger("swapd.control")

MAX_MUTATING = 256
"""Mutating calls under way for all clients together."""

_TELL_SECONDS = 5.0

_PORT_ERRORS: tuple[tuple[type[ports.PortError], ErrorName], ...] = (
    (ports.NodeUnreachable, ErrorName.NODE_UNREACHABLE),
    (ports.NodeMisconfigured, ErrorName.NODE_MISCONFIGURED),
    (ports.WalletLocked, ErrorName.WALLET_LOCKED),
    (ports.NetworkDown, ErrorName.NETWORK_DOWN),
    (ports.PeerUnreachable, ErrorName.PEER_UNREACHABLE),
    (ports.InvalidAddress, ErrorName.PEER_ADDRESS_INVALID),
    (ports.StoreFull, ErrorName.DISK_FULL),
    (ports.StoreError, ErrorName.STORE_FAILED),
)


class Dispatcher:
    """Performs calls for every connection. Mutating ones run in `background`: a client that goes
    away does not leave half a call behind."""

    def __init__(
        self,
        operations: Operations,
        idempotency: Idempotency,
        background: trio.Nursery,
        on_stop: Callable[[], None],
    ) -> None:
        self.operations = operations
        self._on_stop = on_stop
        self._idempotency = idempotency
        self._background = background
        self._mutating = 0

    async def perform(self, method: Method, params: Struct, told: trio.Event) -> Struct | Raw:
        """The call's result. Raises ApiError only; anything else is logged and becomes one.
        `told` is set once the client has its answer, or can't get it any more: after `stop`, and an
        `unlock` that ends a locked daemon, it goes on until then."""
        if not method.mutating:
            return await self._run(method, params)
        if self._mutating >= MAX_MUTATING:
            raise ApiError(
                ErrorName.TOO_MANY_OPEN_REQUESTS, f"{MAX_MUTATING} calls are under way already"
            )
        outcome: list[Struct | Raw | ApiError] = []
        done = trio.Event()

        async def to_its_end() -> None:
            try:
                outcome.append(await self._run(method, params))
                if method.name == "stop" or _is_unlocked(outcome[0]):
                    self._background.start_soon(self._stop, told)
            except ApiError as e:
                outcome.append(e)
            finally:
                self._mutating -= 1
                done.set()

        self._mutating += 1
        _log.info("control.call", method=method.name)
        self._background.start_soon(to_its_end)
        await done.wait()
        if isinstance(outcome[0], ApiError):
            raise outcome[0]
        return outcome[0]

    async def _stop(self, told: trio.Event) -> None:
        with trio.move_on_after(_TELL_SECONDS):
            await told.wait()
        self._on_stop()

    async def _run(self, method: Method, params: Struct) -> Struct | Raw:
        operation = getattr(self.operations, method.attribute)
        try:
            if method.mutating:
                return await self._idempotency.run(method.name, params, lambda: operation(params))
            result: Struct = await operation(params)
        except Exception as e:
            error = to_api_error(e, method.name)
            if error is e:
                raise
            raise error from e
        return result


def _is_unlocked(outcome: Struct | Raw | ApiError) -> bool:
    return isinstance(outcome, calls.UnlockResult) and outcome.was_locked


def to_api_error(error: Exception, method: str) -> ApiError:
    """`error` as the client shall see it. What the operator can't act upon gets a reference to
    the log and nothing of its text."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ports.InsufficientFunds):
        name = ErrorName.FUNDS_UNCONFIRMED if error.unconfirmed else ErrorName.INSUFFICIENT_FUNDS
        return ApiError(name, str(error))
    for kind, name in _PORT_ERRORS:
        if isinstance(error, kind):
            return ApiError(name, str(error))
    reference = secrets.token_hex(4)
    _log.error("control.failed", method=method, reference=reference, exc_info=error)
    return ApiError(
        ErrorName.INTERNAL_ERROR,
        f"{method} failed in a way that should not happen (reference {reference})",
        remedy=f"look for {reference} in the daemon's log and report what it says",
    )
