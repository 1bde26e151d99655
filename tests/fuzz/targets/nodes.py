"""Targets: a node that answers anything, to every question the daemon has.

Owns: the questions, their good answers as samples, and the two ways in: at the body of an HTTP
answer, and at its bytes. Must not know: how inputs are made. Whatever a node says, a ChainError is
the worst that comes of it.
"""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import httpcore
import httpx
import trio

from protocol.proof import FundsProof
from swapd.chains import answers, rpc
from swapd.chains.answers import BadAnswer
from swapd.chains.bitcoind import BitcoindChain
from swapd.chains.config import NodeConfig
from swapd.ports import ChainError
from tests.fakes.clock import FakeClock
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target, bounded
from tests.fuzz.targets import fakenode as node

_CONFIG = NodeConfig(url="http://127.0.0.1:1", wallet="w", user="u", password="p")
_RATE = 5_000
_CHALLENGE = bytes(range(32))

Question = Callable[[BitcoindChain], Awaitable[object]]


async def _view(chain: BitcoindChain) -> object:
    chain.watch(node.watch())
    return await chain.view("w")


async def _kill(chain: BitcoindChain) -> object:
    lock = await chain.fund(node.LEG, node.HTLC.hashlock, _RATE, deadline=node.LEG.expiry)
    return await chain.build_kill(lock, 2 * _RATE)


async def _proven(chain: BitcoindChain) -> object:
    proof = await chain.prove_funds(_CHALLENGE, node.COIN // 2)
    await chain.check_funds(FundsProof(proof.raw, proof.refs), _CHALLENGE, node.COIN // 2)
    return proof


async def _pinned(chain: BitcoindChain) -> object:
    return await chain.has_block(await chain.pinned())


async def _reserved(chain: BitcoindChain) -> object:
    await chain.set_reserved(frozenset({node.COIN_REF}))
    return await chain.balance()


QUESTIONS: tuple[Question, ...] = (
    lambda chain: chain.check(),
    lambda chain: chain.status(),
    _pinned,
    _view,
    lambda chain: chain.fund(node.LEG, node.HTLC.hashlock, _RATE, deadline=node.LEG.expiry),
    _kill,
    lambda chain: chain.broadcast(node.CLAIM.serialise()),
    lambda chain: chain.build_split(2, node.COIN // 10, _RATE),
    lambda chain: chain.reserved_units(node.COIN // 2, _RATE),
    _proven,
    _reserved,
    lambda chain: chain.unspent([node.ADDRESS], [node.COIN_REF]),
    lambda chain: chain.wallet_address(),
    lambda chain: chain._watching._wait_block(3),
    lambda chain: chain._connected(),
)


class _Liar:
    """An honest node but for its answer number `at`, which is `lie`."""

    def __init__(self, at: int, lie: bytes) -> None:
        self._at = at
        self._lie = lie
        self.told: list[bytes] = []

    async def post(self, body: bytes, *, wallet: bool, most: int) -> tuple[int, bytes]:
        await trio.lowlevel.checkpoint()
        answer = self._lie if len(self.told) == self._at else node.good_answer(body)
        self.told.append(answer)
        if len(answer) > most:
            raise BadAnswer("too long")
        return 200, answer


def _chain(liar: _Liar) -> BitcoindChain:
    clock = FakeClock()
    clock.advance(max(0, node.NOW - clock.now()))
    chain = BitcoindChain(node.PARAMS, _CONFIG, clock)
    chain._rpc._post = liar.post  # type: ignore[method-assign]  # no HTTP here
    return chain


async def _ask(data: bytes) -> object:
    """One question, one lie; the answer is a typed value or a ChainError. What the wallet is held
    to afterwards is what the journal says."""
    number, at, lie = data[0] % len(QUESTIONS), data[1], data[2:]
    liar = _Liar(at, lie)
    chain = _chain(liar)
    found = await QUESTIONS[number](chain)
    assert len(liar.told) < 400, f"{len(liar.told)} calls for one question"
    return REFUSED if len(liar.told) <= at else (found, None)


def _recorded() -> list[bytes]:
    """Every question with each of its good answers in turn."""

    async def all_of() -> list[bytes]:
        found = []
        for number, question in enumerate(QUESTIONS):
            liar = _Liar(-1, b"")
            await question(_chain(liar))
            found += [bytes([number, at]) + body for at, body in enumerate(liar.told)]
        return found

    return trio.run(all_of)


def _questions(stack: ExitStack) -> Opened:
    # A client that never connects need not load certificates, over and over.
    stack.enter_context(mock.patch.object(httpx, "AsyncClient", _NoClient))
    return Opened(_recorded(), acall=_ask)


class _NoClient:
    """Stands where httpx's client is made."""

    def __init__(self, **_: Any) -> None: ...


def _http(_: ExitStack) -> Opened:
    """The bytes of an HTTP answer, through httpx and h11."""
    waiting: list[bytes] = []

    class Backend(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
            await trio.lowlevel.checkpoint()
            return _Said(list(waiting))

    client = httpx.AsyncClient(trust_env=False, timeout=None)  # noqa: S113 - nothing to wait for
    transport = httpx.AsyncHTTPTransport(trust_env=False)
    client._transport = transport

    async def call(data: bytes) -> object:
        waiting[:] = [data[start : start + 200] for start in range(0, len(data), 200)] + [b""]
        transport._pool = httpcore.AsyncConnectionPool(network_backend=Backend())
        with mock.patch.object(httpx, "AsyncClient", return_value=client):
            caller = rpc.Rpc(_CONFIG)
        answer = await caller.call("getblockcount", most=5000)
        return (answer,)

    body = b'{"result": 5, "error": null, "id": 0}'
    plain = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
        len(body),
        body,
    )
    return Opened([plain % (len(body), body), chunked], acall=call)


class _Said(httpcore.AsyncNetworkStream):
    """A connection on which this was said already."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._pieces.pop(0) if self._pieces else b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


_READERS: tuple[Callable[[object], object], ...] = (
    answers.table,
    answers.rows,
    answers.text,
    answers.short,
    answers.block_hash,
    answers.whole,
    answers.flag,
    answers.units,
    lambda value: answers.raw_hex(value, 100),
)


def _values(stack: ExitStack) -> Opened:
    """Single values of an answer, by every reader: what is taken has the type and size promised."""
    stack.enter_context(mock.patch.object(httpx, "AsyncClient", _NoClient))
    caller = rpc.Rpc(_CONFIG)

    def call(data: bytes) -> object:
        value = caller._decode(data, 200)
        taken: object = REFUSED
        for number, reader in enumerate(_READERS):
            try:
                found = reader(value)
            except BadAnswer as error:
                bounded(str(error), 500)
                continue
            taken = (found,)
            if number == 7:
                assert isinstance(found, int)
                assert 0 <= found <= 10**18
        return taken

    given = [b"1.00000001", b'"' + b"ab" * 32 + b'"', b"true", b"[1]", b'{"a":1}', b"12345", b'"x"']
    return Opened(given, call)


_BAD = (ChainError,)

TARGETS = (
    Target("node.questions", Form.JSON, _questions, _BAD, 0.1, head=2, block=200),
    Target("node.http", Form.BYTES, _http, _BAD, 0.05, block=100),
    Target("node.values", Form.JSON, _values, _BAD, 3),
)
