"""Targets: what clients of the control socket send, and what they are answered.

Owns: samples and calls for lines, requests, parameters, amounts, sessions. Must not know: how
inputs are made. No answer may be endless, whatever was asked.
"""

import json
import socket
from contextlib import ExitStack

import msgspec
import trio
from msgspec import UNSET

from swapd.api.amounts import AssetTable, format_ratio, format_units, split_pair, split_text
from swapd.api.errors import ApiError, ErrorName
from swapd.api.table import METHODS
from swapd.api.values import AmountParam
from swapd.control import jsonrpc
from swapd.control.dispatch import Dispatcher
from swapd.control.idempotency import Idempotency
from swapd.control.limits import Limits
from swapd.control.outbox import StalledError
from swapd.control.session import Session
from swapd.control.validation import decode_params, find_method
from tests.fakes.clock import FakeClock
from tests.fakes.operations import ASSETS, BTC, LTC, SAMPLE_PARAMS, FakeOperations
from tests.fakes.store import FakeStore
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target, bounded

_LIMIT = 2000
_ANSWER = 8192
"""Bytes of one refusal, at most."""


def _requests() -> list[bytes]:
    calls = [
        {"jsonrpc": "2.0", "id": number, "method": name, "params": params}
        for number, (name, params) in enumerate(SAMPLE_PARAMS.items())
    ]
    texts = [json.dumps(call).encode() for call in calls]
    notification = {"jsonrpc": "2.0", "method": "getinfo"}
    return [*texts, json.dumps(calls[:3]).encode(), json.dumps(notification).encode()]


def _lines(_: ExitStack) -> Opened:
    """The same lines come out however the bytes arrive."""

    def call(data: bytes) -> None:
        lines, found = jsonrpc.Lines(_LIMIT), []
        step = 1 + (data[0] if data else 0)
        for start in range(0, len(data), step):
            lines.feed(data[start : start + step])
            while (line := lines.next()) is not None:
                found.append(line)
        whole = [line.strip() for line in data.split(b"\n")[:-1]]
        assert found == [line for line in whole if line]

    return Opened([b"\n".join(_requests()[:4]) + b"\n"], call)


def _one(item: jsonrpc.Request | jsonrpc.Invalid) -> bool:
    """Whether one request of a line is good; its refusal is short."""
    error = item.error if isinstance(item, jsonrpc.Invalid) else None
    if isinstance(item, jsonrpc.Request):
        try:
            decode_params(find_method(item.method).params, item.params)
        except ApiError as refusal:
            error = refusal
    if error is not None:
        reply = jsonrpc.error_reply(None if item.id is UNSET else item.id, error)
        assert len(reply) <= _ANSWER, f"a refusal of {len(reply)} bytes"
    return error is None


def _request(_: ExitStack) -> Opened:
    def call(data: bytes) -> object:
        parsed = jsonrpc.parse(data)
        items = parsed.items if isinstance(parsed, jsonrpc.Batch) else (parsed,)
        assert 1 <= len(items) <= jsonrpc.MAX_BATCH
        return None if sum(map(_one, items)) == len(items) else REFUSED

    return Opened(_requests(), call)


def _params(_: ExitStack) -> Opened:
    """Parameters of every method: what is taken can be told again."""
    methods = list(METHODS.values())

    def call(data: bytes) -> None:
        method = methods[data[0] % len(methods)]
        try:
            params = decode_params(method.params, data[1:])
        except ApiError as error:
            bounded(jsonrpc.error_reply(1, error), _ANSWER)
            raise
        again = msgspec.json.encode(params)
        assert decode_params(method.params, again) == params
        _check_texts(msgspec.to_builtins(params))

    samples = [
        bytes([number]) + json.dumps(SAMPLE_PARAMS[method.name]).encode()
        for number, method in enumerate(methods)
    ]
    return Opened(samples, call)


def _check_texts(params: dict[str, object]) -> None:
    """Ids are what they say they are, to the last character."""
    for name in ("swap_id", "offer_id"):
        value = params.get(name)
        if isinstance(value, str):
            assert len(value) == 64, f"{name} of {len(value)} characters"


def _amount(_: ExitStack) -> Opened:
    """Amounts as clients write them: exactly what was written, or a named refusal."""

    def call(data: bytes) -> None:
        param = decode_params(AmountParam, data)
        amount = ASSETS.amount(param)
        assert 0 < amount.units < 2**256
        if param.units is not None:
            assert amount.units == int(param.units)
        else:
            assert ASSETS.view(amount).decimal == _plain(param.decimal or "")

    given = [
        {"asset": "BTC", "decimal": "0.5"},
        {"asset": "ltc", "units": "123456789"},
        {"asset": BTC.asset, "decimal": "12345678.12345678"},
    ]
    return Opened([json.dumps(one).encode() for one in given], call)


def _plain(decimal: str) -> str:
    whole, _, fraction = decimal.strip().partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _price(_: ExitStack) -> Opened:
    strange = AssetTable((BTC, msgspec.structs.replace(LTC, decimals=18)))

    def call(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for table in (ASSETS, strange):
            price = table.price(text, *table.pair("BTC/LTC"))
            view = table.price_view(price.numerator, price.denominator, BTC.asset, LTC.asset)
            assert len(view.text) < 400
            assert format_ratio(int(price.numerator), int(price.denominator))

    return Opened([b"0.5", b"80", b"0.00001234", b" 1234567.25 "], call)


def _words(_: ExitStack) -> Opened:
    """What people write on the command line: "0.5 BTC", "BTC/LTC", "80"."""

    def call(data: bytes) -> object:
        text = data.decode("utf-8", "replace")
        taken: object = REFUSED
        for attempt in (_split_amount, split_pair, ASSETS.pair, ASSETS.find):
            try:
                taken = attempt(text)
            except ApiError as error:
                bounded(error.message + error.remedy, 1000)
        return taken

    return Opened([b"0.5 BTC", b"12BTC", b"BTC/LTC", b"ltc", BTC.asset.encode()], call)


def _split_amount(text: str) -> object:
    found = split_text(text)
    amount = ASSETS.amount(found)
    assert format_units(amount.units, 8) == _plain(found.decimal or "")
    return amount


_FOUR_MANY = Limits(rate=10**9, burst=10**9)


def _session(_: ExitStack) -> Opened:
    """A whole connection: its lines, then its end. Everything is answered in JSON, nothing as a
    bug of ours."""
    store, clock = FakeStore(), FakeClock()

    async def call(data: bytes) -> object:
        answers = await _converse(data, store, clock)
        good = False
        for line in answers.split(b"\n")[:-1]:
            replies = json.loads(line)
            for reply in replies if isinstance(replies, list) else [replies]:
                assert reply["jsonrpc"] == "2.0"
                name = reply.get("error", {}).get("data", {}).get("name")
                assert name != ErrorName.INTERNAL_ERROR, reply
                good = good or "result" in reply
        return None if good else REFUSED

    unasked = (b"stop", b"swap.wait", b"unsubscribe")
    samples = [text for text in _requests() if not any(name in text for name in unasked)]
    return Opened([text + b"\n" for text in samples[:-1]], acall=call)


async def _converse(data: bytes, store: FakeStore, clock: FakeClock) -> bytes:
    ours, theirs = socket.socketpair()
    end = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    heard = bytearray()
    async with end, stream, trio.open_nursery() as outer:
        dispatcher = Dispatcher(FakeOperations(), Idempotency(store, clock), outer, lambda: None)

        async def read() -> None:
            try:
                async for chunk in end:
                    heard.extend(chunk)
            except trio.BrokenResourceError:
                return

        async def write() -> None:
            try:
                await end.send_all(data)
                await end.send_eof()
            except trio.BrokenResourceError:
                return

        outer.start_soon(read)
        outer.start_soon(write)
        try:
            async with trio.open_nursery() as nursery:
                await Session(stream, dispatcher, _FOUR_MANY, nursery).run()
        except* (StalledError, trio.BrokenResourceError):
            pass
        await stream.aclose()
    return bytes(heard)


_REFUSALS = (ApiError,)

TARGETS = (
    Target("control.lines", Form.BYTES, _lines, (jsonrpc.LineTooLongError,), 1),
    Target("control.request", Form.JSON, _request, (), 4),
    Target("control.params", Form.JSON, _params, _REFUSALS, 6, head=1),
    Target("control.amount", Form.JSON, _amount, _REFUSALS, 3),
    Target("control.price", Form.TEXT, _price, _REFUSALS, 1),
    Target("control.words", Form.TEXT, _words, _REFUSALS, 1),
    Target("control.session", Form.JSON, _session, (), 0.2, block=200),
)
