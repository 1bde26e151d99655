"""Owns a daemon without a daemon: `Operations` with fixed answers, which tests can hold up, make
fail, and feed with events.

The values are made up but consistent: one taker's swap of 0.5 BTC for 40 LTC on regtest.
"""

from collections.abc import Callable
from typing import Any

import trio
from msgspec import Struct
from msgspec.structs import replace

from swapd.api import calls
from swapd.api.amounts import AssetTable
from swapd.api.errors import ApiError, ErrorName
from swapd.api.events import EventLog
from swapd.api.paging import page
from swapd.api.table import API_VERSION
from swapd.api.values import (
    Actor,
    AmountView,
    AssetInfo,
    ChainHealth,
    Deadline,
    FeeLine,
    LegStatus,
    OfferView,
    PeerView,
    SwapDetail,
    SwapLegView,
    SwapPhase,
    SwapSummary,
    TxView,
)
from tests.fakes.operations_alarms import ALARM, FakeAlarmOperations
from tests.fakes.operations_alarms import NOW as NOW  # noqa: PLC0414 - tests take it from here
from tests.fakes.towers import TOWERS
from tests.fakes.trouble import diagnosis, explained, rescued

BTC = AssetInfo(
    asset="bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:1",
    chain="bip122:0f9188f13cb7b2c71f2a335e3a4fc328",
    ticker="BTC",
    decimals=8,
)
LTC = AssetInfo(
    asset="bip122:530827f38f93b43ed12af0b3ad25a288/slip44:2",
    chain="bip122:530827f38f93b43ed12af0b3ad25a288",
    ticker="LTC",
    decimals=8,
)
ASSETS = AssetTable((BTC, LTC))
SWAP_ID = "5a" * 32
OFFER_ID = "0f" * 32
TXID = "7c" * 32


def btc(units: int) -> AmountView:
    """So many satoshi."""
    return ASSETS.view_units(BTC.asset, units)


def ltc(units: int) -> AmountView:
    """So many litoshi."""
    return ASSETS.view_units(LTC.asset, units)


def offer(number: int = 0x0F, *, own: bool = False, price: int = 80) -> OfferView:
    """Somebody sells half a bitcoin."""
    return OfferView(
        offer_id=f"{number:02x}" * 32,
        maker="02" * 32,
        own=own,
        sell_remaining=btc(50_000_000),
        sell_minimum=btc(1_000_000),
        buy_remaining=ltc(50_000_000 * price),
        price=ASSETS.price_view(price, 1, BTC.asset, LTC.asset),
        created_at=NOW - 60,
        expires_at=NOW + 3600,
    )


def own_offer(number: int = 0x0F, status: str = "live") -> calls.OwnOffer:
    """The same, ours."""
    return calls.OwnOffer(
        offer=offer(number, own=True),
        status=status,
        reason="",
        sell_total=btc(50_000_000),
        remaining=btc(40_000_000),
        reserved=btc(0),
        filled=btc(10_000_000),
    )


def summary(number: int = 0x5A, phase: SwapPhase = SwapPhase.LOCKING) -> SwapSummary:
    """A swap of ours, as taker."""
    return SwapSummary(
        swap_id=f"{number:02x}" * 32,
        role="initiator",
        phase=phase,
        pay=ltc(4_000_000_000),
        receive=btc(50_000_000),
        offer_id=OFFER_ID,
        counterparty="02" * 32,
        created_at=NOW - 100,
        updated_at=NOW,
        sequence=7,
        explanation="Your lock is on its way; the maker locks once it is final.",
        reason="the maker never locked" if phase is SwapPhase.REFUNDED else "",
    )


def fee(what: str, units: int) -> FeeLine:
    """A network fee in litoshi."""
    return FeeLine(
        what=what, amount=ltc(units), vbytes=139, fee_rate=1000, when="always, if it completes"
    )


def deadlines() -> tuple[Deadline, ...]:
    """Those of the regtest profile."""
    return (
        Deadline(name="reveal_gate", at=NOW + 120, meaning="last moment to claim"),
        Deadline(name="expiry_p", at=NOW + 165, meaning="the maker may take his coins back"),
        Deadline(name="expiry_i", at=NOW + 370, meaning="you get your coins back"),
    )


def leg(*, ours: bool, status: LegStatus, depth: int) -> SwapLegView:
    """One leg; ours is in LTC."""
    info = LTC if ours else BTC
    amount = ltc(4_000_000_000) if ours else btc(50_000_000)
    lock = TxView(
        what="lock",
        chain=info.chain,
        ticker=info.ticker,
        txid=TXID,
        ours=ours,
        depth=depth,
        final_depth=3,
        fee=ltc(141) if ours else None,
    )
    return SwapLegView(
        name="i" if ours else "p",
        ours=ours,
        chain=info.chain,
        ticker=info.ticker,
        amount=amount,
        status=status,
        script_address=("rltc1q" if ours else "bcrt1q") + "z" * 58,
        script="63a820",
        outpoint=None if status is LegStatus.UNSEEN else f"{TXID}:0",
        depth=depth,
        final_depth=3 if ours else 2,
        expiry=NOW + (370 if ours else 165),
        transactions=() if status is LegStatus.UNSEEN else (lock,),
    )


def detail(row: SwapSummary | None = None) -> SwapDetail:
    """Everything about that swap."""
    return SwapDetail(
        summary=row or summary(),
        now=NOW,
        price=ASSETS.price_view(80, 1, BTC.asset, LTC.asset),
        hashlock="ab" * 32,
        preimage_public=False,
        terms_hash="cd" * 32,
        legs=(
            leg(ours=True, status=LegStatus.CONFIRMED, depth=1),
            leg(ours=False, status=LegStatus.UNSEEN, depth=0),
        ),
        destination="bcrt1qmine",
        refund_destination="rltc1qmine",
        next_actor=Actor.CHAIN,
        next_action="2 more confirmations of your lock",
        next_deadline=NOW + 120,
        deadlines=deadlines(),
        safe_unattended_until=NOW + 370,
        fees=(fee("lock", 141),),
        warnings=(),
    )


class FakeOperations(FakeAlarmOperations):
    """`seen` are the parameters of every call in order. `fail(name, error)` makes the next call of
    that method raise; `hold(name)` makes it wait until the returned event is set; `started[name]`
    counts calls that began."""

    def __init__(self) -> None:
        self.logs = {topic: EventLog(1000, keep=50) for topic in calls.Topic}
        self.seen: list[Struct] = []
        self.started: dict[str, int] = {}
        self.swaps = [summary(0x5A), summary(0x5B, SwapPhase.COMPLETED)]
        self.asks = [offer(0x0F, price=80), offer(0x1F, price=81), offer(0x2F, price=82)]
        self.on_call: Callable[[str], None] = lambda _: None
        self.diagnosis = diagnosis(critical=True)
        self._errors: dict[str, Exception] = {}
        self._gates: dict[str, trio.Event] = {}

    def fail(self, name: str, error: Exception) -> None:
        """Makes the next call of the operation `name` raise."""
        self._errors[name] = error

    def hold(self, name: str) -> trio.Event:
        """Makes calls of the operation `name` wait for the event."""
        gate = self._gates[name] = trio.Event()
        return gate

    def events(self, topic: calls.Topic) -> EventLog:
        return self.logs[topic]

    async def _enter(self, name: str, params: Struct) -> None:
        self.seen.append(params)
        self.started[name] = self.started.get(name, 0) + 1
        self.on_call(name)
        await trio.lowlevel.checkpoint()
        if name in self._gates:
            await self._gates[name].wait()
        error = self._errors.pop(name, None)
        if error is not None:
            raise error

    async def getinfo(self, params: calls.NoParams) -> calls.GetInfoResult:
        await self._enter("getinfo", params)
        return calls.GetInfoResult(
            version="0.1.0",
            api_version=API_VERSION,
            network="regtest",
            state="running",
            now=NOW,
            started_at=NOW - 500,
            maker_key="02" * 32,
            peer_id="16Uiu2HAm",
            listen=("/ip4/127.0.0.1/tcp/9735",),
            peers=1,
            assets=(BTC, LTC),
            open_swaps=1,
            own_offers=1,
            book_offers=3,
            last_backup=NOW - 7200,
        )

    async def health(self, params: calls.NoParams) -> calls.HealthResult:
        await self._enter("health", params)
        chain = ChainHealth(
            chain=LTC.chain,
            asset=LTC.asset,
            ticker="LTC",
            reachable=False,
            version="",
            height=0,
            tip_hash="",
            tip_time=0,
            median_time=0,
            peers=0,
            synced=False,
            pruned=False,
            fee_rate_next_block=0,
            problems=("nobody answers at 127.0.0.1:19443",),
        )
        return calls.HealthResult(
            healthy=False,
            severity="critical",
            alarms=(ALARM,),
            problems=(
                calls.Problem(
                    where="LTC",
                    what="nobody answers at 127.0.0.1:19443",
                    remedy="start litecoind",
                ),
            ),
            chains=(chain,),
            network_up=True,
            peers=1,
            open_swaps=1,
            next_deadline=NOW + 120,
            safe_unattended_until=NOW + 370,
        )

    async def backup(self, params: calls.BackupParams) -> calls.BackupResult:
        await self._enter("backup", params)
        path = params.path or "/data/regtest/backup.sqlite3"
        return calls.BackupResult(path=path, size=139_264, swaps=3, made_at=NOW)

    async def stop(self, params: calls.StopParams) -> calls.StopResult:
        await self._enter("stop", params)
        row = calls.StopSwap(
            swap_id=SWAP_ID,
            phase=SwapPhase.LOCKING,
            safe_unattended_until=NOW + 370,
            explanation="your lock can be refunded from then on",
        )
        return calls.StopResult(offers_withdrawn=1, open_swaps=(row,))

    async def balance(self, params: calls.BalanceParams) -> calls.BalanceResult:
        await self._enter("balance", params)
        rows = []
        for info, view in ((BTC, btc), (LTC, ltc)):
            if params.asset is None or ASSETS.find(params.asset) is info:
                rows.append(
                    calls.AssetBalance(
                        asset=info.asset,
                        ticker=info.ticker,
                        free=view(150_000_000),
                        reserved=view(50_000_000),
                        locked=view(0),
                        in_flight=view(1),
                        payout=view(12_345_678),
                        unusable=view(0),
                        coins=3,
                    )
                )
        return calls.BalanceResult(assets=tuple(rows), unavailable=())

    async def address(self, params: calls.AddressParams) -> calls.AddressResult:
        await self._enter("address", params)
        info = ASSETS.find(params.asset)
        return calls.AddressResult(asset=info.asset, ticker=info.ticker, address="bcrt1qfresh")

    async def withdraw(self, params: calls.WithdrawParams) -> calls.WithdrawResult:
        await self._enter("withdraw", params)
        return calls.WithdrawResult(
            sent=btc(12_345_000),
            fee=btc(678),
            destination=params.destination,
            coins=2,
            txid=None if params.dry_run else TXID,
        )

    async def wallet_split(self, params: calls.WalletSplitParams) -> calls.WalletSplitResult:
        await self._enter("wallet_split", params)
        return calls.WalletSplitResult(
            each=ASSETS.view(ASSETS.amount(params.amount)),
            count=params.count,
            fee=btc(300),
            txid=None if params.dry_run else TXID,
        )

    async def pair_check(self, params: calls.PairCheckParams) -> calls.PairCheckResult:
        await self._enter("pair_check", params)
        base, quote = ASSETS.pair(params.pair)
        return calls.PairCheckResult(
            pair=f"{base.ticker}/{quote.ticker}",
            swappable=False,
            checks=(
                calls.PairCheck(name="hash", ok=True, detail="both know SHA-256"),
                calls.PairCheck(name="node", ok=False, detail="the LTC node does not answer"),
            ),
        )

    async def book_get(self, params: calls.BookGetParams) -> calls.BookGetResult:
        await self._enter("book_get", params)
        base, quote = ASSETS.pair(params.pair)
        rows, cursor = page(self.asks, lambda o: o.offer_id, params.cursor, params.limit)
        return calls.BookGetResult(
            pair=f"{base.ticker}/{quote.ticker}",
            asks=rows,
            bids=(),
            sequence=self.logs[calls.Topic.BOOK].sequence,
            next_cursor=cursor,
        )

    async def offer_post(self, params: calls.OfferPostParams) -> calls.OfferPostResult:
        await self._enter("offer_post", params)
        sell = ASSETS.amount(params.sell)
        buy = ASSETS.find(params.buy)
        price = ASSETS.price(params.price, ASSETS.find(params.sell.asset), buy)
        row = own_offer()
        view = ASSETS.view(sell)
        shown = replace(
            row.offer,
            sell_remaining=view,
            price=ASSETS.price_view(price.numerator, price.denominator, sell.asset, buy.asset),
        )
        return calls.OfferPostResult(
            offer=replace(row, offer=shown, sell_total=view, remaining=view, filled=btc(0)),
            receive=ASSETS.view_units(buy.asset, price.pays(sell.units)),
            fees=(fee("claim", 139),),
            warnings=(),
            posted=not params.dry_run,
        )

    async def offer_list(self, params: calls.OfferListParams) -> calls.OfferListResult:
        await self._enter("offer_list", params)
        return calls.OfferListResult(offers=(own_offer(),), next_cursor=None)

    async def offer_cancel(self, params: calls.OfferCancelParams) -> calls.OfferCancelResult:
        await self._enter("offer_cancel", params)
        cancelled = (OFFER_ID,) if params.every or params.offer_id is None else (params.offer_id,)
        return calls.OfferCancelResult(cancelled=cancelled, open_swaps=())

    async def quote(self, params: calls.QuoteParams) -> calls.QuoteResult:
        await self._enter("quote", params)
        fill = calls.Fill(
            offer_id=OFFER_ID,
            maker="02" * 32,
            pay=ltc(4_000_000_000),
            receive=btc(50_000_000),
            price=offer().price,
        )
        return calls.QuoteResult(
            fills=(fill,),
            pay=ltc(4_000_000_000),
            pay_total=ltc(4_000_000_141),
            receive=btc(50_000_000),
            receive_net=btc(49_999_861),
            fees=(fee("lock", 141), fee("claim", 139)),
            now=NOW,
            usual_seconds=3960,
            worst_seconds=153_720,
            depth_pay=12,
            depth_receive=3,
            deadlines=deadlines(),
            if_they_vanish="You get your coins back after the expiry, less two fees.",
            if_we_vanish="Be back before the reveal gate, or your coins come back late.",
            warnings=("Price moves are yours.",),
            problems=(),
        )

    async def take(self, params: calls.TakeParams) -> calls.TakeResult:
        await self._enter("take", params)
        return calls.TakeResult(swaps=(self.swaps[0],))

    async def swap_list(self, params: calls.SwapListParams) -> calls.SwapListResult:
        await self._enter("swap_list", params)
        found = [s for s in self.swaps if not (params.open_only and s.phase.ended)]
        rows, cursor = page(found, lambda s: s.swap_id, params.cursor, params.limit)
        sequence = self.logs[calls.Topic.SWAPS].sequence
        return calls.SwapListResult(swaps=rows, sequence=sequence, next_cursor=cursor)

    def _swap(self, swap_id: str) -> SwapDetail:
        row = next((s for s in self.swaps if s.swap_id == swap_id), None)
        if row is None:
            raise ApiError(ErrorName.UNKNOWN_SWAP, f"no swap {swap_id}")
        return detail(row)

    async def swap_get(self, params: calls.SwapGetParams) -> calls.SwapGetResult:
        await self._enter("swap_get", params)
        return calls.SwapGetResult(swap=self._swap(params.swap_id))

    async def swap_wait(self, params: calls.SwapWaitParams) -> calls.SwapWaitResult:
        await self._enter("swap_wait", params)
        found = self._swap(params.swap_id)
        after = params.after_sequence
        later = after is not None and found.summary.sequence > after
        return calls.SwapWaitResult(swap=found, reached=later or found.summary.phase.ended)

    async def swap_cancel(self, params: calls.SwapCancelParams) -> calls.SwapCancelResult:
        await self._enter("swap_cancel", params)
        return calls.SwapCancelResult(swap=self._swap(params.swap_id).summary)

    async def doctor(self, params: calls.NoParams) -> calls.DoctorResult:
        await self._enter("doctor", params)
        return self.diagnosis

    async def swap_explain(self, params: calls.SwapExplainParams) -> calls.SwapExplainResult:
        await self._enter("swap_explain", params)
        return explained(self._swap(params.swap_id))

    async def swap_rescue(self, params: calls.SwapRescueParams) -> calls.SwapRescueResult:
        await self._enter("swap_rescue", params)
        return rescued(self._swap(params.swap_id), keys=params.keys)

    async def tower_list(self, params: calls.NoParams) -> calls.TowerListResult:
        await self._enter("tower_list", params)
        return TOWERS

    async def peer_list(self, params: calls.PeerListParams) -> calls.PeerListResult:
        await self._enter("peer_list", params)
        return calls.PeerListResult(
            peers=(peer(),), own_addresses=("/ip4/127.0.0.1/tcp/1/p2p/16Uiu2HAm",), next_cursor=None
        )

    async def peer_connect(self, params: calls.PeerConnectParams) -> calls.PeerConnectResult:
        await self._enter("peer_connect", params)
        return calls.PeerConnectResult(peer=peer())

    async def peer_disconnect(
        self, params: calls.PeerDisconnectParams
    ) -> calls.PeerDisconnectResult:
        await self._enter("peer_disconnect", params)
        return calls.PeerDisconnectResult(disconnected=True)


def peer() -> PeerView:
    """Somebody connected."""
    return PeerView(
        peer_id="16Uiu2HAmOther",
        addresses=("/ip4/192.0.2.1/tcp/9735",),
        inbound=False,
        connected_since=NOW - 50,
        latency_ms=12,
    )


SAMPLE_PARAMS: dict[str, dict[str, Any]] = {
    "getinfo": {},
    "health": {},
    "help": {"method": "take"},
    "rpc.discover": {},
    "backup": {"path": "/mnt/usb/swapd.sqlite3"},
    "stop": {},
    "alarm.list": {},
    "drain": {},
    "unlock": {"passphrase": "only for tests"},
    "balance": {"asset": "BTC"},
    "address": {"asset": "BTC"},
    "withdraw": {"asset": "BTC", "destination": "bcrt1qthere"},
    "wallet.split": {"amount": {"asset": "BTC", "decimal": "0.1"}, "count": 3},
    "pair.check": {"pair": "BTC/LTC"},
    "book.get": {"pair": "BTC/LTC"},
    "offer.post": {
        "sell": {"asset": "BTC", "decimal": "0.5"},
        "buy": "LTC",
        "price": "80",
    },
    "offer.list": {},
    "offer.cancel": {"offer_id": OFFER_ID},
    "quote": {"offer_id": OFFER_ID},
    "take": {"offer_id": OFFER_ID},
    "swap.list": {},
    "swap.get": {"swap_id": SWAP_ID},
    "swap.wait": {"swap_id": SWAP_ID, "after_sequence": 1},
    "swap.cancel": {"swap_id": SWAP_ID},
    "doctor": {},
    "swap.explain": {"swap_id": SWAP_ID},
    "swap.rescue": {"swap_id": SWAP_ID},
    "tower.list": {},
    "peer.list": {},
    "peer.connect": {"address": "/ip4/192.0.2.1/tcp/9735/p2p/16Uiu2HAmOther"},
    "peer.disconnect": {"peer_id": "16Uiu2HAmOther"},
    "subscribe": {"topic": "book"},
    "unsubscribe": {"subscription": 1},
}
"""Valid parameters of every method."""
