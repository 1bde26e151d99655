"""Many random stories: whoever stays online never loses, whatever the other and the chains do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import decode, encode
from protocol.swap.events import CancelRequested, ClaimBuilt, Event, KillBuilt, RefundBuilt
from protocol.swap.facts import SpendKind
from protocol.swap.machine import is_closed, material, step
from protocol.swap.pending import pending
from protocol.swap.states import End, Hidden, SwapState, Tx, Unknown
from protocol.terms import LegName
from tests.protocol.swap.toy import World, world

MOVES = st.lists(
    st.sampled_from(
        ["block", "block", "block", "leave", "return", "reorg i", "reorg p", "evict i", "evict p"]
    ),
    min_size=5,
    max_size=60,
)


def play(w: World, moves: list[str], leaver: str) -> None:
    """Performs the moves, then lets the world be calm. No chain is undone as deep as its locks are
    final: beyond that nothing is promised."""
    party = getattr(w, leaver)
    undone = dict.fromkeys(LegName, 0)
    for move in moves:
        match move.split():
            case ["block"]:
                w.block()
                undone = dict.fromkeys(LegName, 0)
            case ["leave"]:
                party.online = False
            case ["return"]:
                party.online = True
                w.act()
            case ["reorg", leg]:
                undone[LegName(leg)] += 1
                if undone[LegName(leg)] >= w.chains[LegName(leg)].leg.depth:
                    continue
                w.chains[LegName(leg)].reorg(1)
                w.act()
            case ["evict", leg]:
                chain = w.chains[LegName(leg)]
                for txid in [t.txid for t in chain.txs.values() if t.height is None]:
                    chain.drop(txid)
            case unknown:
                raise AssertionError(f"no such move: {unknown}")
        check(w)
    w.run(90)


def check(w: World) -> None:
    """What must hold at every moment, read from the chains alone."""
    for chain in w.chains.values():
        spent = [ref for tx in chain.txs.values() for ref in tx.spends]
        assert len(spent) == len(set(spent)), "claim and refund never both"


@settings(max_examples=150, deadline=None)
@given(MOVES, st.sampled_from(["initiator", "participant"]))
def test_the_party_that_stays_online_never_loses(moves: list[str], leaver: str) -> None:
    w = world()
    w.act()
    play(w, moves, leaver)
    stayed = w.participant if leaver == "initiator" else w.initiator
    outcome = stayed.state.outcome
    assert outcome is not None, "an end is reached once the world is calm"
    assert outcome.end is not End.LOST
    own = w.chains[LegName.I if leaver == "participant" else LegName.P]
    theirs = w.chains[LegName.P if leaver == "participant" else LegName.I]
    taken = any(t.kind is SpendKind.CLAIM and t.height is not None for t in own.txs.values())
    paid = any(t.kind is SpendKind.CLAIM and t.height is not None for t in theirs.txs.values())
    assert paid or not taken, "our leg was claimed and the other one is not ours"


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_any_event_is_legal_in_any_state_and_the_journalled_part_replays(moves: list[str]) -> None:
    w = world()
    w.act()
    tx = Tx(b"raw", "some", 1, 1, 1, "ref:0")
    strange: tuple[Event, ...] = (KillBuilt(tx), ClaimBuilt(tx), RefundBuilt(tx), CancelRequested())
    for move in moves:
        if move == "block":
            w.block()
        for party in w.parties():
            again = decode(SwapState, encode(party.state), max_size=1 << 20)
            assert again == party.state
            assert pending(again) == pending(party.state)
            for event in strange:
                after = step(party.state, event)
                pending(after)
                if isinstance(party.state.secret, Hidden | Unknown):
                    assert after.claim is None, "no claim exists before the secret is out"
            if is_closed(party.state):
                looked = step(party.state, w.look(party))
                assert looked.outcome == party.state.outcome
                assert material(looked).own == material(party.state).own
