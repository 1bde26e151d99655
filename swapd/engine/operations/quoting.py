"""What a take would cost and return, and what may happen: nothing is committed.

Owns: the quote. Must not know: how offers are chosen, messages, sockets.
"""

from protocol.assets import chain_of
from protocol.errors import RemoteProtocolError
from protocol.kinds import Sizes, fee_asset_of, pays_own_fees, sizes_of
from protocol.negotiation.checks import check_economic, fill_of, least_depths
from protocol.swap.timelocks import Schedule, schedule
from swapd.api import calls
from swapd.api.amounts import AssetTable
from swapd.api.values import Deadline, FeeLine
from swapd.engine import parley
from swapd.engine.operations.choosing import Chosen
from swapd.engine.world import World
from swapd.ports import ChainError, InsufficientFunds, WalletLocked


class _Part:
    """One fill, looked at."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.offer = chosen.found.offer
        self.fill = fill_of(self.offer, chosen.units, remaining=chosen.units)
        self.depth_i = 0
        self.depth_p = 0
        self.schedule: Schedule | None = None
        self.fee_lock = 0
        self.rate_i = 0
        self.rate_p = 0
        self.problems: list[str] = []

    @property
    def paid(self) -> Sizes:
        """What transactions of the leg that we pay measure."""
        return sizes_of(self.offer.buy)

    @property
    def fee_claim(self) -> int:
        """What our claim costs, in base units of what fees on its chain are paid in."""
        return sizes_of(self.offer.sell).claim * self.rate_p // 1000


async def quote(world: World, assets: AssetTable, chosen: tuple[Chosen, ...]) -> calls.QuoteResult:
    """The whole of a take in figures. Raises ApiError, RemoteProtocolError, ChainError."""
    parts = [await _look(world, one) for one in chosen]
    first = parts[0]
    pay = sum(int(p.fill.amount_i.units) for p in parts)
    receive = sum(int(p.fill.amount_p.units) for p in parts)
    paid, bought = first.offer.buy, first.offer.sell
    await _check_funds(world, parts, pay)
    fees = _fees(assets, parts)
    # A fee in another coin takes nothing away from what is received, or paid.
    claim_fees = sum(p.fee_claim for p in parts) if pays_own_fees(bought) else 0
    lock_fees = sum(p.fee_lock for p in parts) if pays_own_fees(paid) else 0
    times = [p.schedule for p in parts if p.schedule is not None]
    now = world.clock.now()
    return calls.QuoteResult(
        fills=tuple(_fill(assets, p) for p in parts),
        pay=assets.view_units(paid, pay),
        pay_total=assets.view_units(paid, pay + lock_fees),
        receive=assets.view_units(bought, receive),
        receive_net=assets.view_units(bought, max(0, receive - claim_fees)),
        fees=fees,
        now=now,
        usual_seconds=max((t.usual_paid for t in times), default=0),
        worst_seconds=max((t.worst_freeze - t.t0 for t in times), default=0),
        depth_pay=max(p.depth_i for p in parts),
        depth_receive=max(p.depth_p for p in parts),
        deadlines=_deadlines(times[0]) if times else (),
        if_they_vanish=(
            "Your coins come back by themselves after the expiry of your lock, in the worst case "
            "as late as is told here. You lose network fees and time, nothing else."
        ),
        if_we_vanish=(
            "Before your lock nothing happens. After it, be back before its expiry to refund. "
            "After you claimed, stay on until the claim is final."
        ),
        warnings=(
            "Between agreeing and claiming the price may move; neither side is paid for that.",
        ),
        problems=tuple(problem for p in parts for problem in p.problems),
    )


async def _look(world: World, chosen: Chosen) -> _Part:
    part = _Part(chosen)
    offer = part.offer
    if chosen.found.certificate is None:
        part.problems.append("the maker's network address is not known yet: try again in a moment")
    try:
        pair = await parley.look(world, offer)
    except (RemoteProtocolError, ChainError) as error:
        part.problems.append(str(error))
        return part
    depth_i, depth_p = least_depths(pair.side, part.fill)
    part.depth_i, part.depth_p = max(depth_i, offer.depth_buy), max(depth_p, offer.depth_sell)
    part.rate_i, part.rate_p = pair.status_i.fee_next, pair.status_p.fee_next
    try:
        for amount in (part.fill.amount_i, part.fill.amount_p):
            check_economic(amount, world.policy.stress(amount.asset))
        part.schedule = schedule(
            t0=world.clock.now(),
            timing=world.policy.timing,
            chain_i=chain_of(offer.buy),
            chain_p=chain_of(offer.sell),
            depth_i=part.depth_i,
            depth_p=part.depth_p,
            exposure_i=world.policy.exposure,
            exposure_p=offer.exposure,
            pace_i=pair.side.pace_i,
            pace_p=pair.side.pace_p,
        )
    except RemoteProtocolError as error:
        part.problems.append(error.detail)
    if offer.timing is not world.policy.timing:
        part.problems.append(
            f"the maker uses the {offer.timing.value} timing, you {world.policy.timing.value}"
        )
    return part


async def _check_funds(world: World, parts: list[_Part], pay: int) -> None:
    first = parts[0]
    if first.rate_i == 0:
        return
    chain = world.chains[first.offer.buy]
    try:
        for part in parts:
            units = int(part.fill.amount_i.units)
            cost = await chain.reserved_units(units, part.rate_i) - units
            own = pays_own_fees(chain.asset)
            part.fee_lock = cost if own else part.paid.lock * part.rate_i // 1000
        await chain.reserved_units(pay, first.rate_i)
    except (InsufficientFunds, WalletLocked) as error:
        first.problems.append(str(error))


def _fees(assets: AssetTable, parts: list[_Part]) -> tuple[FeeLine, ...]:
    lines: list[FeeLine] = []
    for part in parts:
        paid, bought = part.offer.buy, part.offer.sell
        refund = part.paid.refund * part.rate_i // 1000
        claimed = sizes_of(bought).claim
        lock_vbytes = part.fee_lock * 1000 // part.rate_i if part.rate_i else 0
        rows = (
            ("lock", paid, part.fee_lock, lock_vbytes, part.rate_i, "always"),
            ("claim", bought, part.fee_claim, claimed, part.rate_p, "when the swap completes"),
            ("refund", paid, refund, part.paid.refund, part.rate_i, "only if the swap fails"),
        )
        for what, asset, fee, vbytes, rate, when in rows:
            lines.append(
                FeeLine(
                    what=what,
                    amount=assets.view_units(fee_asset_of(asset), fee),
                    vbytes=vbytes,
                    fee_rate=rate,
                    when=when,
                )
            )
    return tuple(lines)


def _fill(assets: AssetTable, part: _Part) -> calls.Fill:
    offer = part.offer
    return calls.Fill(
        offer_id=part.chosen.found.offer_id.hex(),
        maker=offer.maker.hex(),
        pay=assets.view(part.fill.amount_i),
        receive=assets.view(part.fill.amount_p),
        price=assets.price_view(
            offer.price.numerator, offer.price.denominator, offer.sell, offer.buy
        ),
    )


def _deadlines(times: Schedule) -> tuple[Deadline, ...]:
    rows = (
        ("lock_gate_i", times.lock_gate_i, "your lock must be confirmed, else it is killed"),
        ("lock_gate_p", times.lock_gate_p, "the maker must have locked"),
        ("reveal_gate", times.reveal_gate, "you claim before this, or not at all"),
        ("expiry_p", times.expiry_p, "the maker's coins can go back to the maker"),
        ("expiry_i", times.expiry_i, "your coins can come back to you"),
        ("worst_freeze", times.worst_freeze, "your coins are back at the latest"),
    )
    return tuple(Deadline(name=n, at=at, meaning=m) for n, at, m in rows)
