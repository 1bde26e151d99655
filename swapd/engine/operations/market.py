"""The market for the operator: pair.check, book, offers, quote, take.

Owns: those calls. Must not know: gossip, messages, sockets.
"""

from protocol.assets import AssetId, chain_of
from protocol.evm.params import is_evm
from protocol.kinds import fee_asset_of, sizes_of
from protocol.swap.timelocks import ScheduleRefused, depth_for, schedule
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.paging import page
from swapd.api.values import AssetInfo, FeeLine
from swapd.engine.offers_checks import Draft
from swapd.engine.operations.choosing import Chosen, Order, choose
from swapd.engine.operations.context import (
    Context,
    as_api_error,
    require_unlocked,
    translated,
)
from swapd.engine.operations.offer_views import offer_view, own_offer
from swapd.engine.operations.quoting import quote
from swapd.ports import ChainError

DEFAULT_LIFETIME = 24 * 3600

MAKER_RISK = (
    "A taker may walk away after you agreed: your coins are then reserved for a while and, if you "
    "locked, frozen until the refund. Prices may move meanwhile."
)


class MarketOperations:
    """pair.check, book.get, offer.*, quote, take"""

    def __init__(self, context: Context) -> None:
        self._c = context

    # --- Pairs and the book -------------------------------------------------------------------

    async def pair_check(self, params: calls.PairCheckParams) -> calls.PairCheckResult:
        base, quoted = self._c.assets.pair(params.pair)
        checks = [
            calls.PairCheck(
                name="hash", ok=True, detail="both chains check SHA-256 of a 32-byte preimage"
            )
        ]
        depths: dict[str, int] = {}
        for info in (base, quoted):
            checks.append(await self._node_check(info, depths))
            checks.append(await self._wallet_check(info))
        checks.append(self._timelock_check(base, quoted, depths))
        return calls.PairCheckResult(
            pair=f"{base.ticker}/{quoted.ticker}",
            swappable=all(check.ok for check in checks),
            checks=tuple(checks),
        )

    async def _node_check(self, info: AssetInfo, depths: dict[str, int]) -> calls.PairCheck:
        asset = AssetId(info.asset)
        policy = self._c.world.policy
        try:
            chain = self._c.chain(asset)
            await chain.check()
            status = await chain.status()
            depths[info.asset] = max(
                policy.limits(asset).depth or 1,
                depth_for(
                    chain_of(asset),
                    1,
                    timing=policy.timing,
                    factor=policy.depth_factor,
                    height=status.height,
                    pace=policy.pace(asset),
                ),
            )
        except (ChainError, ScheduleRefused) as error:
            return calls.PairCheck(name=f"node {info.ticker}", ok=False, detail=str(error))
        detail = "; ".join(status.problems) or (
            f"{status.version} at height {status.height}; final after {depths[info.asset]} "
            "confirmations or more, growing with the amount"
        )
        return calls.PairCheck(name=f"node {info.ticker}", ok=not status.problems, detail=detail)

    async def _wallet_check(self, info: AssetInfo) -> calls.PairCheck:
        chain = self._c.chain(info.asset)
        try:
            balance = await chain.balance()
            await require_unlocked(chain)
        except ChainError as error:
            return calls.PairCheck(name=f"wallet {info.ticker}", ok=False, detail=str(error))
        shown = self._c.assets.view_units(info.asset, balance.confirmed)
        detail = f"{shown.decimal} {info.ticker} can be locked"
        if not is_evm(chain_of(AssetId(info.asset))):
            detail += f", in {balance.coins} coins"
        return calls.PairCheck(name=f"wallet {info.ticker}", ok=True, detail=detail)

    def _timelock_check(
        self, base: AssetInfo, quoted: AssetInfo, depths: dict[str, int]
    ) -> calls.PairCheck:
        policy = self._c.world.policy
        if len(depths) < 2:
            return calls.PairCheck(name="timelock", ok=False, detail="the depths are not known")
        try:
            times = schedule(
                t0=self._c.world.clock.now(),
                timing=policy.timing,
                chain_i=chain_of(AssetId(quoted.asset)),
                chain_p=chain_of(AssetId(base.asset)),
                depth_i=depths[quoted.asset],
                depth_p=depths[base.asset],
                exposure_i=policy.exposure,
                exposure_p=policy.exposure,
                pace_i=policy.pace(AssetId(quoted.asset)),
                pace_p=policy.pace(AssetId(base.asset)),
            )
        except ScheduleRefused as error:
            return calls.PairCheck(name="timelock", ok=False, detail=error.detail)
        hours = (times.worst_freeze - times.t0) / 3600
        detail = f"absolute expiries on both chains; at worst coins are frozen for {hours:.1f} h"
        return calls.PairCheck(name="timelock", ok=True, detail=detail)

    async def book_get(self, params: calls.BookGetParams) -> calls.BookGetResult:
        base, quoted = self._c.assets.pair(params.pair)
        own = self._c.world.signer.maker_key()
        sequence = self._c.book_events.sequence
        rows = [
            offer_view(self._c.assets, found.offer_id, found.offer, own, base=base.asset)
            for sell, buy in ((base.asset, quoted.asset), (quoted.asset, base.asset))
            for found in self._c.market.side(AssetId(sell), AssetId(buy)).offers
        ]
        shown, cursor = page(rows, lambda offer: offer.offer_id, params.cursor, params.limit)
        asks = tuple(o for o in shown if o.sell_remaining.asset == base.asset)
        bids = tuple(o for o in shown if o.sell_remaining.asset != base.asset)
        return calls.BookGetResult(
            pair=f"{base.ticker}/{quoted.ticker}",
            asks=asks,
            bids=bids,
            sequence=sequence,
            next_cursor=cursor,
        )

    # --- Our own offers -----------------------------------------------------------------------

    async def offer_post(self, params: calls.OfferPostParams) -> calls.OfferPostResult:
        sell = self._c.assets.amount(params.sell)
        sold, bought = self._c.assets.find(params.sell.asset), self._c.assets.find(params.buy)
        for info in (sold, bought):
            self._c.chain(info.asset)
        price = self._c.assets.price(params.price, sold, bought)
        minimum = None
        if params.minimum is not None:
            least = self._c.assets.amount(params.minimum)
            if least.asset != sell.asset:
                message = f"the minimum is of the sold asset, {sold.ticker}"
                raise ApiError(ErrorName.AMOUNT_INVALID, message)
            minimum = int(least.units)
        draft = Draft(
            sell=sell.asset,
            buy=AssetId(bought.asset),
            price=price,
            maximum=int(sell.units),
            minimum=minimum,
            lifetime=params.lifetime_seconds or DEFAULT_LIFETIME,
        )
        with translated():
            standing = await self._c.offers.post(draft, dry_run=params.dry_run)
            fees = await self._fees_of_a_fill(draft)
        own = self._c.world.signer.maker_key()
        receive = price.pays(int(sell.units))
        return calls.OfferPostResult(
            offer=own_offer(self._c.assets, standing, own),
            receive=self._c.assets.view_units(bought.asset, int(receive)),
            fees=fees,
            warnings=(MAKER_RISK,),
            posted=not params.dry_run,
        )

    async def _fees_of_a_fill(self, draft: Draft) -> tuple[FeeLine, ...]:
        world, assets = self._c.world, self._c.assets
        rate_sell = (await world.chains[draft.sell].status()).fee_next
        rate_buy = (await world.chains[draft.buy].status()).fee_next
        sold, bought = sizes_of(draft.sell), sizes_of(draft.buy)
        rows = (
            ("lock", draft.sell, sold.lock, rate_sell, "for each fill"),
            ("claim", draft.buy, bought.claim, rate_buy, "for each fill that completes"),
            ("refund", draft.sell, sold.refund, rate_sell, "only if a fill fails"),
        )
        return tuple(
            FeeLine(
                what=what,
                amount=assets.view_units(fee_asset_of(asset), size * rate // 1000),
                vbytes=size,
                fee_rate=rate,
                when=when,
            )
            for what, asset, size, rate, when in rows
        )

    async def offer_list(self, params: calls.OfferListParams) -> calls.OfferListResult:
        own = self._c.world.signer.maker_key()
        rows = [
            own_offer(self._c.assets, standing, own)
            for standing in self._c.offers.standing(include_ended=params.include_ended)
        ]
        shown, cursor = page(rows, lambda row: row.offer.offer_id, params.cursor, params.limit)
        return calls.OfferListResult(offers=shown, next_cursor=cursor)

    async def offer_cancel(self, params: calls.OfferCancelParams) -> calls.OfferCancelResult:
        if (params.offer_id is None) != params.every:
            message = "give either `offer_id`, or `every` as true"
            raise ApiError(ErrorName.INVALID_PARAMS, message)
        with translated():
            if params.offer_id is None:
                names = await self._c.offers.cancel_all()
            else:
                standing = await self._c.offers.cancel(bytes.fromhex(params.offer_id))
                names = (standing.offer_id,)
        running = [state.agreement.swap_id.hex() for state in self._c.swaps.open()]
        return calls.OfferCancelResult(
            cancelled=tuple(name.hex() for name in names), open_swaps=tuple(running)
        )

    # --- Taking -------------------------------------------------------------------------------

    def _choose(self, params: calls.QuoteParams | calls.TakeParams) -> tuple[Chosen, ...]:
        order = Order(params.offer_id, params.amount, params.pair, params.side, params.limit_price)
        own = self._c.world.signer.maker_key()
        return choose(order, self._c.market, self._c.assets, own)

    async def quote(self, params: calls.QuoteParams) -> calls.QuoteResult:
        with translated():
            return await quote(self._c.world, self._c.assets, self._choose(params))

    async def take(self, params: calls.TakeParams) -> calls.TakeResult:
        chosen = self._choose(params)
        if params.destination is not None:
            chain = self._c.chain(chosen[0].found.offer.sell)
            try:
                chain.check_address(params.destination)
            except ValueError as error:
                raise ApiError(ErrorName.ADDRESS_INVALID, str(error)) from error
        begun = []
        for one in chosen:
            try:
                begun.append(await self._take_one(one, params.destination))
            except Exception as error:
                if begun:
                    break  # what was agreed goes on; the reply lists just that
                raise as_api_error(error) from error
        rows = []
        for swap_id in begun:
            row = await self._c.swaps.get(swap_id)
            if row is not None:
                rows.append(self._c.views.summary(*row))
        return calls.TakeResult(swaps=tuple(rows))

    async def _take_one(self, chosen: Chosen, destination: str | None) -> bytes:
        certificate = chosen.found.certificate
        if certificate is None:
            message = "the maker's network address is not known yet"
            raise ApiError(ErrorName.PEER_UNREACHABLE, message)
        agreement = await self._c.taker.take(
            chosen.found.signed,
            chosen.units,
            peer_id=certificate.peer_id,
            addresses=certificate.addresses,
            destination=destination,
        )
        return agreement.swap_id
