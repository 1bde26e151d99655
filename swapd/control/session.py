"""One connection: lines in, calls, lines out.

Owns: what one client has under way, and its limits. Must not know: what calls do, listening.
"""

import select

import trio
from msgspec import UNSET, Raw, Struct

from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.table import METHODS, Method
from swapd.control import jsonrpc
from swapd.control.dispatch import Dispatcher
from swapd.control.limits import Limits, TokenBucket
from swapd.control.openrpc import document, help_of
from swapd.control.outbox import Outbox
from swapd.control.subscriptions import Subscriptions
from swapd.control.validation import decode_params, find_method

_READ_SIZE = 64 * 1024


class Session:
    """One client."""

    def __init__(
        self,
        stream: trio.SocketStream,
        dispatcher: Dispatcher,
        limits: Limits,
        nursery: trio.Nursery,
    ) -> None:
        self._stream = stream
        self._dispatcher = dispatcher
        self._limits = limits
        self._nursery = nursery
        self._outbox = Outbox(stream, limits.out_high_water, limits.stall_seconds)
        self._bucket = TokenBucket(limits.rate, limits.burst, trio.current_time())
        self._subscriptions = Subscriptions(
            dispatcher.operations.events, self._outbox, nursery, limits.subscriptions
        )
        self._open = 0
        self._idle = trio.Event()
        self._told = trio.Event()

    async def run(self) -> None:
        """Serves until the client is gone. Raises trio's stream errors and StalledError."""
        self._nursery.start_soon(self._outbox.run)
        try:
            await self._read()
            if not _gone(self._stream):
                # It only said that it asks no more: what it asked is still answered.
                self._subscriptions.close()
                while self._open:
                    self._idle = trio.Event()
                    await self._idle.wait()
                await self._outbox.wait_empty()
        finally:
            self._told.set()
        self._nursery.cancel_scope.cancel()

    async def _read(self) -> None:
        lines = jsonrpc.Lines(self._limits.max_line)
        while data := await self._stream.receive_some(_READ_SIZE):
            lines.feed(data)
            try:
                while (line := lines.next()) is not None:
                    await self._outbox.wait_room()
                    await self._admit(jsonrpc.parse(line))
            except jsonrpc.LineTooLongError:
                error = ApiError(
                    ErrorName.REQUEST_TOO_LARGE,
                    f"a line is longer than {self._limits.max_line} bytes: closing the connection",
                )
                self._outbox.put(jsonrpc.error_reply(None, error))
                return

    async def _admit(self, parsed: jsonrpc.Request | jsonrpc.Invalid | jsonrpc.Batch) -> None:
        """Starts what was asked, within the limits; refusals are answered at once."""
        items = parsed.items if isinstance(parsed, jsonrpc.Batch) else (parsed,)
        refusal = self._refusal(len(items))
        if refusal is not None:
            replies = [jsonrpc.error_reply(_id(item), refusal) for item in items if _wants(item)]
            self._send(replies, batch=isinstance(parsed, jsonrpc.Batch))
        elif isinstance(parsed, jsonrpc.Invalid):
            self._send([jsonrpc.error_reply(parsed.id, parsed.error)], batch=False)
        elif isinstance(parsed, jsonrpc.Request) and _instant(parsed):
            await self._serve(parsed, 0)  # not worth a task of its own
        else:
            self._open += len(items)
            self._nursery.start_soon(self._serve, parsed, len(items))

    def _refusal(self, count: int) -> ApiError | None:
        wait = max(self._bucket.take(trio.current_time()) for _ in range(count))
        if wait:
            return ApiError(
                ErrorName.RATE_LIMITED,
                f"more than {self._limits.rate} calls per second",
                detail={"retry_after_ms": int(wait * 1000) + 1},
            )
        if self._open + count > self._limits.open_requests:
            return ApiError(
                ErrorName.TOO_MANY_OPEN_REQUESTS,
                f"this connection may have {self._limits.open_requests} calls under way",
            )
        return None

    async def _serve(self, asked: jsonrpc.Request | jsonrpc.Batch, count: int) -> None:
        """Answers one line; the calls of a batch are done one after the other."""
        items = asked.items if isinstance(asked, jsonrpc.Batch) else (asked,)
        replies = []
        for item in items:
            reply = await self._answer(item)
            if _wants(item):
                replies.append(reply)
        self._send(replies, batch=isinstance(asked, jsonrpc.Batch))
        self._open -= count
        self._idle.set()

    async def _answer(self, item: jsonrpc.Request | jsonrpc.Invalid) -> bytes:
        if isinstance(item, jsonrpc.Invalid):
            return jsonrpc.error_reply(item.id, item.error)
        try:
            method = find_method(item.method)
            params = decode_params(method.params, item.params)
            if method.local:
                result: Struct | Raw = self._local(method, params)
            else:
                result = await self._dispatcher.perform(method, params, self._told)
            if method.name == "stop":
                self._nursery.start_soon(self._tell)
        except ApiError as e:
            return jsonrpc.error_reply(_id(item), e)
        reply = jsonrpc.result_reply(_id(item), result)
        if len(reply) > self._limits.max_reply:
            text = f"the reply has {len(reply)} bytes, more than {self._limits.max_reply}"
            return jsonrpc.error_reply(_id(item), ApiError(ErrorName.REPLY_TOO_LARGE, text))
        return reply

    def _local(self, method: Method, params: Struct) -> Struct:
        """Calls that concern the table or this connection."""
        if isinstance(params, calls.SubscribeParams):
            return self._subscriptions.subscribe(params)
        if isinstance(params, calls.UnsubscribeParams):
            return self._subscriptions.unsubscribe(params)
        if isinstance(params, calls.HelpParams):
            return help_of(params.method)
        if method.name == "rpc.discover":
            return document()
        raise ApiError(ErrorName.NOT_SUPPORTED, f"{method.name} can't be called here")

    def _send(self, replies: list[bytes], *, batch: bool) -> None:
        if replies:
            self._outbox.put(jsonrpc.batch_reply(replies) if batch else replies[0])

    async def _tell(self) -> None:
        """Runs after the answer to `stop` was put into the outbox."""
        await self._outbox.wait_empty()
        self._told.set()


def _instant(item: jsonrpc.Request) -> bool:
    method = METHODS.get(item.method)
    return method is not None and method.instant


def _id(item: jsonrpc.Request | jsonrpc.Invalid) -> jsonrpc.Id:
    return None if item.id is UNSET else item.id


def _wants(item: jsonrpc.Request | jsonrpc.Invalid) -> bool:
    """A notification gets no reply, whatever comes of it."""
    return item.id is not UNSET


def _gone(stream: trio.SocketStream) -> bool:
    """True when the client closed its end wholly, False when it only ended its sending half."""
    poll = select.poll()
    poll.register(stream.socket.fileno(), 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
