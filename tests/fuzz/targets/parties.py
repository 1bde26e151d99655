"""Targets: what a counterparty, a gossiper or an operator can say to the parts that remember.

Owns: samples and calls for both sides of a negotiation, the market's memory, the operations behind
the control socket. Must not know: how inputs are made. What is refused changes nothing.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from trio.testing import MockClock

from protocol import gossip, reconcile
from protocol.bitcoin.params import BITCOIN_REGTEST
from protocol.book import Book
from protocol.codec import decode, encode
from protocol.errors import RemoteProtocolError
from protocol.negotiation import maker, messages, taker
from protocol.signing import PublicKey
from protocol.terms import Terms
from swapd.api.errors import ApiError
from swapd.api.table import METHODS
from swapd.control.validation import decode_params
from swapd.engine.market_intake import Intake
from swapd.ports import PortError
from tests.engine.operations import stage as desks
from tests.engine.swaps.stage import Stage
from tests.fakes.operations import SAMPLE_PARAMS
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target, bounded
from tests.fuzz.targets import wire
from tests.protocol.market import samples as market
from tests.protocol.negotiation import scene
from tests.protocol.negotiation.test_agreeing import MAKER_STATES, TAKER_STATES

_NOW = scene.NOW


def _sides(
    states: list[Any], receive: Callable[..., object], legal: dict[int, bytes]
) -> Callable[[ExitStack], Opened]:
    """Every state of one side; the first byte says which. A refusal leaves the state as it was."""
    before = [repr(state) for state in states]

    def call(data: bytes) -> None:
        at = data[0] % len(states)
        try:
            receive(states[at], data[1:], now=_NOW)
        except RemoteProtocolError as error:
            bounded(messages.refuse(b"", error), 1000)
            raise

    def fresh() -> None:
        assert [repr(state) for state in states] == before, "a state was changed in place"

    samples = [bytes([at]) + message for at, message in legal.items()]
    return lambda _: Opened(samples, call, fresh=fresh)


_MAKER, _TAKER = list(MAKER_STATES), list(TAKER_STATES)
_MAKER_LEGAL = {
    _MAKER.index("listening"): scene.TAKE_BYTES,
    _MAKER.index("reserved"): scene.PROPOSE_BYTES,
}
_TAKER_LEGAL = {
    _TAKER.index("asking"): scene.RESERVE_BYTES,
    _TAKER.index("proposing"): scene.ACCEPT_BYTES,
}


def _signed(_: ExitStack) -> Opened:
    """Contents that the other party really signed, whatever they say: good ones are exactly what
    was negotiated."""

    def take(payload: bytes) -> None:
        content = decode(messages.Take, payload, max_size=1 << 16)
        asked = maker.receive(scene.LISTENING, scene.take_message(content), now=_NOW)
        assert isinstance(asked, maker.Asked)
        granted = scene.grant(asked)
        assert scene.OFFER.minimum <= granted.take.units <= scene.OFFER.maximum

    def reserve(payload: bytes) -> None:
        content = decode(messages.Reserve, payload, max_size=1 << 16)
        found = taker.receive(scene.ASKING, scene.reserve_message(content), now=_NOW)
        assert isinstance(found, taker.Offered)
        terms = taker.draft_terms(found, scene.PART)
        assert terms.leg_i.amount == scene.TERMS.leg_i.amount
        assert terms.leg_p.amount == scene.TERMS.leg_p.amount

    def propose(payload: bytes) -> None:
        content = decode(Terms, payload, max_size=1 << 16)
        found = maker.receive(scene.RESERVED, scene.propose_message(content), now=_NOW)
        assert isinstance(found, maker.Proposed)
        # The taker chooses its own keys, its hashlock and t0; everything else is agreed already.
        ours, theirs = scene.TERMS, found.terms
        assert theirs.leg_i.amount == ours.leg_i.amount
        assert theirs.leg_p.amount == ours.leg_p.amount
        assert theirs.leg_i.claim_key == ours.leg_i.claim_key
        assert theirs.leg_p.refund_key == ours.leg_p.refund_key
        assert theirs.leg_i.expiry - theirs.t0 == ours.leg_i.expiry - ours.t0
        assert theirs.leg_p.expiry - theirs.t0 == ours.leg_p.expiry - ours.t0

    kinds = (take, reserve, propose)

    def call(data: bytes) -> None:
        kinds[data[0] % 3](data[1:])

    contents = (scene.DRAFT.take, scene.RESERVE, scene.TERMS)
    return Opened([bytes([n]) + encode(value) for n, value in enumerate(contents)], call)


def _intake(_: ExitStack) -> Opened:
    """The market's memory: a message whose every item is refused leaves it as it was."""
    made: list[Intake] = []
    own = PublicKey(b"\x77" * 32)

    def fresh() -> None:
        intake = Intake(Book(), own, frozenset({market.PAIR}))
        about = (market.signed_heartbeat("b"), market.signed_offer("b"))
        kinds = (gossip.ItemKind.HEARTBEAT, gossip.ItemKind.OFFER)
        items = [market.item(kind, signed) for kind, signed in zip(kinds, about, strict=True)]
        intake.take(items, now=market.NOW, moment=0)
        made[:] = [intake]

    def memory(intake: Intake) -> tuple[object, ...]:
        leases = intake.leases
        names = tuple(intake.book.makers(market.PAIR))
        sizes = (len(leases._leases), len(leases._banned), len(leases._retired))
        return (names, sizes, len(intake._certificates))

    def call(data: bytes) -> object:
        intake = made[0]
        items = gossip.decode_items(data)
        before = memory(intake)
        notes = intake.take(items, now=market.NOW, moment=0)
        if len(notes.faults) == len(items):
            assert memory(intake) == before, "refused, and yet remembered"
            return REFUSED
        return notes

    return Opened(wire.gossip_messages(), call, fresh=fresh)


def _book_sync(_: ExitStack) -> Opened:
    """Any request for the book is answered in one message, or refused."""
    intake = Intake(Book(), PublicKey(b"\x77" * 32), frozenset({market.PAIR}))
    for name in "abcdef":
        offers = [market.signed_offer(name, slot=slot, number=slot + 1) for slot in range(20)]
        items = [market.item(gossip.ItemKind.HEARTBEAT, market.signed_heartbeat(name))]
        items += [market.item(gossip.ItemKind.OFFER, offer) for offer in offers]
        intake.take(items, now=market.NOW, moment=0)

    def call(data: bytes) -> None:
        request = reconcile.decode_request(data)
        answer = reconcile.page(intake.sections(request), request.cursor)
        again = reconcile.encode_answer(answer)
        assert len(again) <= reconcile.MAX_MESSAGE
        assert reconcile.decode_answer(again, after=request.cursor) == answer

    asks = [
        reconcile.BookRequest(1, market.PAIR, b"", (), b""),
        reconcile.BookRequest(1, market.PAIR, market.key("b"), (), b""),
        reconcile.BookRequest(1, market.PAIR, b"", (), market.key("b") + bytes(32)),
    ]
    return Opened([encode(ask) for ask in asks], call)


_QUESTIONS = (
    "getinfo", "balance", "pair.check", "book.get", "quote", "swap.list", "swap.get", "swap.wait",
    "swap.cancel", "peer.list", "peer.disconnect", "withdraw", "address",
)  # fmt: skip


def _operations(_: ExitStack) -> Opened:
    """What the daemon does with parameters of the right shape: a named error is the worst."""
    made: list[desks.Desk] = []

    def fresh() -> None:
        stage = Stage(MockClock(autojump_threshold=0))
        desk = desks.desk(stage.taker)
        desk.book.offers += [desks.offer(number) for number in range(1, 4)]
        made[:] = [desk]

    async def call(data: bytes) -> object:
        method = METHODS[_QUESTIONS[data[0] % len(_QUESTIONS)]]
        params = decode_params(method.params, data[1:])
        result = await getattr(made[0].operations, method.attribute)(params)
        assert isinstance(result, method.result)
        return result

    given: dict[str, dict[str, object]] = {
        **SAMPLE_PARAMS,
        "quote": {"offer_id": "01" * 32, "amount": {"asset": "LTC", "decimal": "5"}},
        "pair.check": {"pair": "BTC/LTC"},
        "book.get": {"pair": f"{BITCOIN_REGTEST.asset_id} LTC", "limit": 5},
    }
    answered = ("getinfo", "balance", "pair.check", "book.get", "quote", "swap.list", "peer.list")
    samples = [
        bytes([_QUESTIONS.index(name)]) + json.dumps(given[name]).encode() for name in answered
    ]
    return Opened(samples, acall=call, fresh=fresh, clock=lambda: MockClock(autojump_threshold=0))


_BAD = (RemoteProtocolError,)

TARGETS = (
    Target("take.maker", Form.MSGPACK,
           _sides(list(MAKER_STATES.values()), maker.receive, _MAKER_LEGAL), _BAD, 1.5, head=1),
    Target("take.taker", Form.MSGPACK,
           _sides(list(TAKER_STATES.values()), taker.receive, _TAKER_LEGAL), _BAD, 1.5, head=1),
    Target("take.signed", Form.MSGPACK, _signed, _BAD, 1, head=1),
    Target("market.intake", Form.MSGPACK, _intake, _BAD, 0.5),
    Target("market.book_sync", Form.MSGPACK, _book_sync, _BAD, 0.5),
    Target("rpc.operations", Form.JSON, _operations, (ApiError, PortError), 0.3, head=1),
)  # fmt: skip
