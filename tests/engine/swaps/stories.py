"""Four ways a swap can go on a stage, told so that a crash may come anywhere in between.

Owns: the stories and what must be true after each, read from the chains alone.
"""

from collections.abc import Awaitable, Callable

from protocol.bitcoin.htlc import Htlc, lock_outputs
from protocol.bitcoin.tx import Transaction, parse_tx
from protocol.swap.agreement import Agreement
from protocol.swap.states import End
from protocol.terms import LegName, own_leg
from tests.engine.swaps.stage import COIN, GET, PAY, Party, Stage

Story = Callable[[Stage], Awaitable[Agreement]]

FEES = 60_000
"""Units that all transactions of one party together cost at most in these stories."""


async def happy(stage: Stage) -> Agreement:
    """Both do what was agreed."""
    swap = await stage.agree()
    await stage.blocks(15, swap)
    return swap


async def maker_vanishes(stage: Stage) -> Agreement:
    """The maker's nodes are gone for good: the taker refunds."""
    swap = await stage.agree()
    stage.maker.btc.down = stage.maker.ltc.down = True
    for _ in range(60):
        if stage.taker.swaps.live(swap.swap_id) is None:
            break
        await stage.block()
    return swap


async def taker_vanishes(stage: Stage) -> Agreement:
    """The taker's nodes are gone once both have locked: the maker refunds."""
    swap = await stage.agree()
    for _ in range(60):
        if stage.ltc.mempool:
            stage.taker.btc.down = stage.taker.ltc.down = True
        if stage.maker.swaps.live(swap.swap_id) is None:
            break
        await stage.block()
    return swap


async def killed(stage: Stage) -> Agreement:
    """No block takes the taker's lock until its gate has closed: it is killed."""
    stage.idle.add(LegName.I)
    swap = await stage.agree()
    for _ in range(5):
        await stage.block()
    stage.idle.clear()
    await stage.blocks(10, swap)
    return swap


STORIES: dict[str, tuple[Story, str]] = {
    "happy taker": (happy, "taker"),
    "happy maker": (happy, "maker"),
    "refund taker": (maker_vanishes, "taker"),
    "refund maker": (taker_vanishes, "maker"),
    "kill taker": (killed, "taker"),
}
"""By name: the story and whose every step is tried."""

ENDS = {
    "happy taker": End.COMPLETED,
    "happy maker": End.COMPLETED,
    "refund taker": End.REFUNDED,
    "refund maker": End.REFUNDED,
    "kill taker": End.NEVER_FUNDED,
}


def script_of(swap: Agreement, name: LegName) -> bytes:
    """What a lock of this leg pays to."""
    leg = swap.terms.leg(name)
    return Htlc(leg.claim_key, leg.refund_key, swap.terms.hashlock, leg.expiry).script_pubkey()


def locks_ever_sent(party: Party, swap: Agreement) -> list[Transaction]:
    """All transactions of ours, mined or waiting, that pay our leg's script."""
    name = own_leg(party.role)
    leg, ledger = swap.terms.leg(name), party.stage.ledger(name)
    htlc = Htlc(leg.claim_key, leg.refund_key, swap.terms.hashlock, leg.expiry)
    everything = [tx for block in ledger.blocks for tx in block.txs] + list(ledger.mempool.values())
    everything += [parse_tx(raw) for raw in party.chain(name).broadcasts]
    return [tx for tx in everything if lock_outputs(tx, htlc)]


def can_one_confirm_only(locks: list[Transaction]) -> bool:
    """Whether some coin is spent by all of `locks`."""
    spent = [{txin.outpoint for txin in tx.inputs} for tx in locks]
    return not spent or bool(set.intersection(*spent))


async def check_books(party: Party, swap: Agreement, end: End) -> None:
    """What the party has on the chains is what its end says, less fees."""
    own, units = own_leg(party.role), int(swap.terms.leg(own_leg(party.role)).amount.units)
    other = LegName.P if own is LegName.I else LegName.I
    gets = GET if other is LegName.P else PAY
    kept = await party.wallet(own) + party.payout(own)
    assert can_one_confirm_only(locks_ever_sent(party, swap)), "never two locks of one leg"
    if end is End.COMPLETED:
        assert COIN - units - FEES < kept < COIN - units
        assert gets - FEES < party.payout(other) < gets
    else:
        assert COIN - FEES < kept <= COIN
        assert party.payout(other) == 0
