"""Every recorded message, again, at every state of the negotiation and of the swap: nothing."""

from collections.abc import Mapping
from typing import TypeVar

import pytest
from msgspec.structs import replace
from trio.testing import MockClock

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.negotiation import maker, taker
from protocol.negotiation.messages import Refuse, read
from protocol.signing import Tag, public_key
from protocol.swap.states import End
from swapd.engine.asking import TakeRefused
from swapd.ports import PortError
from tests.fuzz.replays import Said, World
from tests.protocol.negotiation import scene
from tests.protocol.negotiation.test_agreeing import MAKER_STATES, MESSAGES, TAKER_STATES

State = TypeVar("State")
NAMES = ("take", "reserve", "propose", "accept")


@pytest.fixture
def world(mock_clock: MockClock) -> World:
    """Nothing is agreed. Tests name `mock_clock` too: that is how trio gets to use it."""
    return World(mock_clock)


async def said_again(world: World, messages: list[Said], by: tuple[str, ...]) -> None:
    """Each message to its hearer by each of `by`, a minute after the other so that no limit on
    strangers hides what would happen; everything is as before, and the answer is a refusal."""
    before = world.everything()
    for message in messages:
        for speaker in by:
            if speaker == message.hearer:
                continue
            await world.settle(61)
            before = world.everything()
            answer = await world.replay(message, speaker)
            told = read(answer) if answer else None
            assert told is None or isinstance(told, Refuse), told
            assert told is None or told.refusal is not Refusal.BUSY, "it was not even looked at"
            assert world.everything() == before, f"{type(read(message.data)).__name__} by {speaker}"


async def test_messages_of_a_swap_change_nothing_at_any_of_its_states(
    world: World, mock_clock: MockClock
) -> None:
    """From the agreement to the end, after every block, by the counterparty and a stranger."""
    seen: set[tuple[str, str]] = set()
    async with world.running():
        swap = await world.take()
        await world.settle()
        recorded = list(world.wire.heard)
        assert [type(read(said.data)).__struct_config__.tag for said in recorded] == list(NAMES)
        for _ in range(25):
            for party in world.parties():
                state = world.state(party, swap)
                seen.add((type(state.own).__name__, type(state.secret).__name__))
            await said_again(world, recorded, ("taker", "maker", "stranger"))
            if not world.live(swap):
                break
            await world.block()
        ends = [world.state(party, swap).outcome for party in world.parties()]
    assert [outcome.end for outcome in ends if outcome] == [End.COMPLETED, End.COMPLETED]
    assert len(seen) >= 4, "too few states were seen for this to mean anything"


@pytest.mark.parametrize("at", range(4), ids=NAMES)
@pytest.mark.parametrize("old", range(4), ids=[f"old {name}" for name in NAMES])
async def test_a_message_of_an_earlier_negotiation_in_place_of_a_new_one_ends_it(
    world: World, mock_clock: MockClock, at: int, old: int
) -> None:
    """The wire (or the party itself) says what was said once before: no coins are promised, no
    swap begins, nothing is sent to any chain."""
    async with world.running():
        await world.take()
        await world.settle()
        recorded = list(world.wire.heard)
        world.wire.instead = {len(recorded) + at: recorded[old].data}
        sent = [party.broadcasts for party in world.parties()]
        swaps = [len(party.store.disk.journal) for party in world.parties()]
        with pytest.raises((RemoteProtocolError, PortError, TakeRefused)):
            await world.take(sequence=2)
        await world.settle()
        assert [party.broadcasts for party in world.parties()] == sent
        assert all(hold.agreed for hold in world.taker.ledger._holds.values())
        # The maker journals before it accepts: if only its Accept was replaced, its side lapses.
        grown = [
            len(party.store.disk.journal) - n
            for party, n in zip(world.parties(), swaps, strict=True)
        ]
        assert grown == [1 if at == 3 else 0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_messages_of_another_negotiation_move_no_state_of_this_one(name: str) -> None:
    """Pure: an earlier negotiation of the same two over the same offer, every state of this."""
    draft = taker.ask(
        scene.OFFER,
        scene.OFFER_ID,
        scene.UNITS,
        side=scene.SIDE,
        taker=public_key(scene.TAKER_SECRET),
        nonce=bytes(32),
        now=scene.NOW,
    )
    signature = scene.signed(scene.TAKER_SECRET, Tag.TAKE, encode(draft.take))
    asking, _ = taker.asking(draft, signature)
    granted = scene.grant(maker.Asked(draft.take, asking.swap_id))
    answer = replace(scene.RESERVE, swap_id=asking.swap_id)
    other_terms = replace(scene.TERMS, swap_id=asking.swap_id)
    makers: list[maker.MakerNegotiation] = [
        maker.Reserved(granted, answer),
        *_all_but(MAKER_STATES, "listening", "reserved"),
    ]
    takers: list[taker.TakerNegotiation] = [
        asking,
        taker.Proposing(other_terms, signature, scene.NOW),
        *_all_but(TAKER_STATES, "asking", "proposing"),
    ]
    for state in makers:
        with pytest.raises(RemoteProtocolError):
            maker.receive(state, MESSAGES[name], now=scene.NOW)
    for side in takers:
        with pytest.raises(RemoteProtocolError):
            taker.receive(side, MESSAGES[name], now=scene.NOW)


def _all_but(states: Mapping[str, State], *names: str) -> list[State]:
    return [state for name, state in states.items() if name not in names]


async def test_a_take_said_again_before_its_swap_is_over_promises_nothing_twice(
    world: World, mock_clock: MockClock
) -> None:
    """At each message of the negotiation itself, everything said so far is said again."""
    async with world.running():
        held: list[int] = []
        tap = world.wire.tap

        def remember(speaker: str, hearer: str, data: bytes) -> bytes:
            held.append(len(world.maker.ledger._holds))
            return tap(speaker, hearer, data)

        world.stage.network.tap = remember
        await world.take()
        assert max(held) == 1
        left = dict(world.maker.offers.left)
        await said_again(world, list(world.wire.heard), ("taker", "stranger"))
        assert world.maker.offers.left == left
