"""Twenty-two recorded ways a swap gets into trouble, each reached by the real machine on fake
chains, and what its operator must be told, written down as facts and never copied from the texts.

Owns: the scenes and the facts. `swap.explain` is asked by the tests.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from protocol.swap import reading, troubles
from protocol.swap.agreement import Agreement
from protocol.swap.states import Learned, Revealed
from protocol.terms import LegName
from swapd.engine.swaps import Swaps
from tests.engine.swaps.stage import BTC, Party, Stage, times_of

Scene = Callable[[Stage], Awaitable[Agreement]]


@dataclass(frozen=True)
class Facts:
    """`who` acts next; `risk` of being away; `away` names the moment until which that is safe ("" =
    not at all, "ever" = no end); `code` and `severity` of the advice, a word of its remedy."""

    whose: str
    who: str
    risk: str
    away: str
    code: str
    severity: str
    remedy: str


@dataclass(frozen=True)
class Situation:
    """A name, how it comes about, what is right."""

    name: str
    scene: Scene
    facts: Facts


async def _blocks(stage: Stage, count: int) -> None:
    for _ in range(count):
        await stage.block()


async def _locked(stage: Stage) -> Agreement:
    """Both locks are in blocks, the maker's one short of final."""
    swap = await stage.agree()
    await _blocks(stage, 4)
    return swap


async def _maker_waits(stage: Stage) -> Agreement:
    """Both locks are final, and the taker is gone before its reveal."""
    swap = await _locked(stage)
    stage.taker.scope.cancel()
    await stage.block()
    return swap


async def fees_rise(stage: Stage) -> Agreement:
    stage.idle = {LegName.I}
    swap = await stage.agree()
    stage.taker.btc.fee_next = 2_000_000
    await stage.block()
    return swap


async def maker_is_silent(stage: Stage) -> Agreement:
    swap = await stage.agree()
    stage.maker.scope.cancel()
    await _blocks(stage, 3)
    return swap


async def taker_never_locks(stage: Stage) -> Agreement:
    stage.taker.btc.locked = True
    return await stage.agree()


async def node_dies_after_lock(stage: Stage) -> Agreement:
    swap = await _maker_waits(stage)
    stage.maker.btc.down = True
    await stage.settle(31)
    return swap


async def gate_passes(stage: Stage) -> Agreement:
    stage.maker.ltc.problems = (f"the node has 1 peers; 4 are wanted, {troubles.FEW_PEERS}",)
    swap = await stage.agree()
    while stage.maker.state(swap.swap_id).outcome is None:
        await stage.block()
    return swap


async def refund_waits(stage: Stage) -> Agreement:
    swap = await maker_is_silent(stage)
    while stage.clock.now() <= swap.terms.leg_i.expiry:
        await stage.block()
    return swap


async def refund_hangs(stage: Stage) -> Agreement:
    swap = await maker_is_silent(stage)
    stage.taker.btc.fee_next = 2_000
    while not stage.taker.state(swap.swap_id).refunds:
        await stage.block()
    stage.idle = {LegName.I}
    await stage.block()
    await stage.block()
    return swap


async def refund_outbid(stage: Stage) -> Agreement:
    stage.ltc.replaces = True  # miners there who do replace
    swap = await _locked(stage)
    stage.taker.scope.cancel()
    stage.idle = {LegName.I}
    while not stage.maker.state(swap.swap_id).refunds:
        if stage.clock.now() > swap.terms.leg_p.expiry:
            stage.idle = set(LegName)
        await stage.block()
    await _claims_by_hand(stage, swap, 300_000)
    await stage.settle(31)
    assert isinstance(stage.maker.state(swap.swap_id).secret, Learned)
    return swap


async def _claims_by_hand(stage: Stage, swap: Agreement, fee_rate: int) -> None:
    """A taker who waited until the maker's expiry, with a fee that beats his refund."""
    signer, lock = stage.taker.signer, reading.own_lock(stage.maker.state(swap.swap_id))
    assert lock is not None

    async def sign(digest: bytes) -> bytes:
        return await signer.sign_htlc(swap.salt, swap.role, swap.swap_id, LegName.P, digest)

    claim = await stage.taker.ltc.build_claim(
        swap.terms.leg_p,
        swap.terms.hashlock,
        lock,
        swap.destination,
        fee_rate,
        sign,
        signer.preimage(swap.salt, swap.swap_id),
    )
    told = stage.ltc.submit(claim.raw)
    assert told.reason == "", told.reason


async def claim_hangs(stage: Stage) -> Agreement:
    swap = await _locked(stage)
    stage.idle = {LegName.P}
    await _blocks(stage, 3)
    assert isinstance(stage.taker.state(swap.swap_id).secret, Revealed)
    return swap


async def their_lock_is_reorged_away(stage: Stage) -> Agreement:
    swap = await _locked(stage)
    stage.taker.scope.cancel()
    await stage.settle()
    stage.idle = {LegName.I}
    stage.btc.undo(4)
    await stage.settle(31)
    return swap


async def away_after_the_reveal(stage: Stage) -> Agreement:
    swap = await _locked(stage)
    stage.idle = {LegName.P}
    await stage.block()
    assert isinstance(stage.taker.state(swap.swap_id).secret, Revealed)
    stage.taker.btc.down = stage.taker.ltc.down = True
    stage.clock.advance(times_of(swap).reveal_gate + 20 - stage.clock.now())
    stage.ledger(LegName.P).mine(only=())
    stage.ledger(LegName.I).mine(only=())
    stage.taker.btc.down = stage.taker.ltc.down = False
    await stage.settle(31)
    return swap


async def kill_is_pending(stage: Stage) -> Agreement:
    stage.idle = {LegName.I}
    swap = await stage.agree()
    await _blocks(stage, 5)
    return swap


async def kill_is_blocked(stage: Stage) -> Agreement:
    stage.idle = {LegName.P}
    swap = await stage.agree()
    await _blocks(stage, 8)
    return swap


async def disk_is_full(stage: Stage) -> Agreement:
    swap = await _locked(stage)
    stage.taker.store.full = True
    await stage.block()
    return swap


async def clock_is_ahead(stage: Stage) -> Agreement:
    swap = await _locked(stage)
    stage.clock.advance(3600)
    await stage.settle(31)
    return swap


async def clock_is_behind(stage: Stage) -> Agreement:
    swap = await stage.agree()
    await _blocks(stage, 3)
    stage.taker.btc.problems = (f"{troubles.CLOCK_IS_BEHIND} median time: set the clock",)
    await _blocks(stage, 2)
    return swap


async def tips_compete(stage: Stage) -> Agreement:
    swap = await stage.agree()
    await _blocks(stage, 3)
    stage.taker.ltc.problems = (f"{troubles.COMPETING} of 2 blocks ends at block 9 (valid-fork)",)
    await _blocks(stage, 2)
    return swap


async def node_was_pruned(stage: Stage) -> Agreement:
    swap = await _maker_waits(stage)
    stage.maker.btc.misconfigured = (
        f"the node does not have block 00ab any more: {troubles.PRUNED_AWAY} of open swaps"
    )
    await stage.settle(31)
    return swap


async def chain_not_configured(stage: Stage) -> Agreement:
    """The maker's daemon is started again without its BTC node."""
    swap = await _maker_waits(stage)
    party = stage.maker
    build = party.build

    def without_btc() -> None:
        build()
        chains = {asset: chain for asset, chain in party.world.chains.items() if asset != BTC}
        party.world = replace(party.world, chains=chains)
        party.swaps = Swaps(party.world)

    party.build = without_btc  # type: ignore[method-assign] # another configuration
    await party.restart()
    return swap


async def coins_vanish(stage: Stage) -> Agreement:
    """The taker's only coin was made by the newest block, which a reorganisation takes away."""
    stage.idle = {LegName.I}
    swap = await stage.agree()
    stage.btc.undo(1)
    assert not stage.btc.mempool
    await _blocks(stage, 5)
    return swap


async def spent_elsewhere(stage: Stage) -> Agreement:
    """The operator spends the coin of the hanging lock by hand."""
    stage.idle = {LegName.I}
    swap = await stage.agree()
    own = reading.signed_lock(stage.taker.state(swap.swap_id))
    assert own is not None
    script = stage.taker.btc.fresh_script()
    spend = stage.taker.btc.spend_coin(own.coins[0].ref, script, 400_000)
    told = stage.btc.submit(spend.serialise())
    assert told.reason == "", told.reason
    await stage.settle(31)
    return swap


_T, _M = "taker", "maker"
ALL = (
    Situation("our lock hangs under a fee spike", fees_rise,
        Facts(_T, "chain", "time", "", "lock_hangs_fees_rose", "info", "bumped")),
    Situation("the maker never answers our lock", maker_is_silent,
        Facts(_T, "counterparty", "time", "expiry_i", "counterparty_silent", "info", "come back")),
    Situation("the taker never locks", taker_never_locks,
        Facts(_M, "counterparty", "nothing", "lock_gate_p", "counterparty_silent", "info",
              "given up")),
    Situation("a node dies after our lock", node_dies_after_lock,
        Facts(_M, "counterparty", "coins", "expiry_p", "node_down", "warning", "start the node")),
    Situation("the lock gate passed", gate_passes,
        Facts(_M, "nobody", "nothing", "ever", "lock_gate_passed", "info", "nothing")),
    Situation("a refund waits for median time", refund_waits,
        Facts(_T, "chain", "time", "expiry_i", "refund_waits_for_median_time", "info",
              "six more blocks")),
    Situation("a refund hangs in the mempool", refund_hangs,
        Facts(_T, "chain", "time", "", "refund_hangs", "info", "by itself")),
    Situation("a refund is outbid by a late claim", refund_outbid,
        Facts(_M, "chain", "coins", "claim_deadline", "refund_outbid", "warning", "keep swapd")),
    Situation("our claim hangs in the mempool", claim_hangs,
        Facts(_T, "chain", "coins", "", "claim_hangs", "warning", "keep swapd running")),
    Situation("their lock is reorganised away", their_lock_is_reorged_away,
        Facts(_M, "counterparty", "coins", "", "their_lock_gone", "warning", "sent again")),
    Situation("we were away after the reveal", away_after_the_reveal,
        Facts(_T, "chain", "coins", "", "claim_late", "critical", "dearer claims")),
    Situation("a kill is pending", kill_is_pending,
        Facts(_T, "chain", "time", "", "kill_pending", "info", "by itself")),
    Situation("a kill is impossible on litecoin", kill_is_blocked,
        Facts(_M, "chain", "coins", "", "kill_blocked", "warning", "mempoolreplacement=1")),
    Situation("the wallet is locked", taker_never_locks,
        Facts(_T, "us", "nothing", "lock_gate_i", "wallet_locked", "warning", "walletpassphrase")),
    Situation("the disk is full", disk_is_full,
        Facts(_T, "chain", "time", "expiry_i", "disk_full", "critical", "free space")),
    Situation("the clock is ahead", clock_is_ahead,
        Facts(_T, "chain", "time", "expiry_i", "clock_ahead", "warning", "set the clock")),
    Situation("the clock is behind", clock_is_behind,
        Facts(_T, "us", "time", "expiry_i", "clock_behind", "warning", "set the clock")),
    Situation("two tips compete", tips_compete,
        Facts(_T, "us", "time", "expiry_i", "competing_tip", "warning", "wait")),
    Situation("the node was pruned", node_was_pruned,
        Facts(_M, "counterparty", "coins", "expiry_p", "node_pruned", "critical",
              "still has these blocks")),
    Situation("a chain of an open swap is not configured", chain_not_configured,
        Facts(_M, "counterparty", "coins", "expiry_p", "unattended", "critical", "rescue")),
    Situation("a reorganisation took the coins of our lock", coins_vanish,
        Facts(_T, "chain", "time", "", "coins_gone", "warning", "nothing of yours is lost")),
    Situation("the operator spent the coins of the lock", spent_elsewhere,
        Facts(_T, "chain", "time", "", "spent_elsewhere", "warning", "if that was you")),
)  # fmt: skip


def party_of(stage: Stage, facts: Facts) -> Party:
    """Who is told."""
    return stage.taker if facts.whose == _T else stage.maker
