"""A stranger's output to our script is brought back, and its refund is never taken for our own."""

from protocol.swap.facts import SpendKind
from protocol.terms import LegName
from tests.protocol.swap.toy import ToyTx, World, world


def keep_own_refund_out(w: World, own: str) -> None:
    """Miners leave the refund of the real lock out; the stray one's goes in."""
    chain = w.chains[LegName.I]
    for tx in list(chain.txs.values()):
        if tx.kind is SpendKind.REFUND and own in tx.spends:
            chain.drop(tx.txid)


def test_the_refund_of_a_stray_output_ends_no_swap() -> None:
    w = world()
    w.participant.online = False
    w.act()
    w.block()
    lock = next(tx for tx in w.chains[LegName.I].txs.values() if tx.pays)
    w.chains[LegName.I].send(ToyTx("stray", frozenset({"stranger"}), pays=lock.pays))
    for _ in range(60):
        keep_own_refund_out(w, f"{lock.txid}:0")
        w.block()
    stray = [t for t in w.chains[LegName.I].txs.values() if "stray:0" in t.spends]
    assert [tx.kind for tx in stray] == [SpendKind.REFUND]
    assert stray[0].height is not None
    assert w.initiator.state.outcome is None
