"""Operations on a party of the swap stage: the real ones, with a book and offers held by hand.

Owns: the context they work in. Swaps, chains and store are those of `tests.engine.swaps.stage`.
"""

from dataclasses import dataclass, field
from typing import Any, cast

from protocol.amounts import Price, Units
from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.identity import IDENTITY_VERSION, Certificate
from protocol.offers import OFFER_VERSION, Offer, Signed
from protocol.signing import PublicKey, Signature
from protocol.swap.agreement import Agreement
from protocol.terms import Exposure, Timing
from swapd.alarms.board import Board
from swapd.api.amounts import AssetTable
from swapd.api.events import EventLog
from swapd.api.values import AssetInfo
from swapd.engine.backups import Backups
from swapd.engine.market import Found, Market, Snapshot
from swapd.engine.offers import OwnOffers
from swapd.engine.operations.all import EngineOperations
from swapd.engine.operations.book_events import SwapPump
from swapd.engine.operations.context import Context
from swapd.engine.operations.swap_views import SwapViews
from swapd.engine.taker import Taker
from tests.engine.swaps.stage import BTC, COIN, LTC, Party

ASSETS = AssetTable(
    AssetInfo(asset=p.asset_id, chain=p.chain_id, ticker=p.ticker, decimals=p.decimals)
    for p in (BITCOIN_REGTEST, LITECOIN_REGTEST)
)
STRANGER = PublicKey(b"\x09" * 32)


def offer(
    number: int,
    *,
    sell: AssetId = LTC,
    price: tuple[int, int] = (1, 80),
    most: int = 10 * COIN,
    least: int = COIN,
    maker: PublicKey = STRANGER,
    reachable: bool = True,
    now: int = 1_800_000_000,
) -> Found:
    """An offer in the book; `price` is paid units for sold units."""
    made = Offer(
        version=OFFER_VERSION,
        maker=maker,
        slot=number,
        sequence=1,
        number=number,
        sell=sell,
        buy=BTC if sell == LTC else LTC,
        price=Price(Units(price[0]), Units(price[1])),
        minimum=Units(least),
        maximum=Units(most),
        created=now,
        expires=now + 3600,
        kinds=("p2wsh",),
        timing=Timing.REGTEST,
        exposure=Exposure(30, 6),
        depth_sell=3 if sell == LTC else 2,
        depth_buy=2 if sell == LTC else 3,
        min_fee_rate=1_000,
    )
    certificate = Certificate(
        IDENTITY_VERSION, maker, f"peer-{number}", ("/memory/x",), 1, now, now + 3600
    )
    signed = Signed(bytes([number]), Signature(bytes(64)))
    return Found(bytes([number]) * 32, made, signed, certificate if reachable else None)


@dataclass
class Book:
    """A market that holds what a test puts in."""

    offers: list[Found] = field(default_factory=list)

    def find(self, offer_id: bytes) -> Found | None:
        return next((found for found in self.offers if found.offer_id == offer_id), None)

    def side(self, sell: AssetId, buy: AssetId) -> Snapshot:
        chosen = [f for f in self.offers if (f.offer.sell, f.offer.buy) == (sell, buy)]
        return Snapshot(0, tuple(chosen))

    def count(self) -> int:
        return len(self.offers)


class NoOffers:
    """Own offers of somebody who has none."""

    def promised(self, _asset: AssetId) -> int:
        return 0

    def live(self) -> tuple[Any, ...]:
        return ()


@dataclass
class Takes:
    """A taker that agrees to what it is told, or fails."""

    agreements: list[Agreement | Exception] = field(default_factory=list)
    asked: list[tuple[bytes, int]] = field(default_factory=list)

    async def take(self, signed: Signed, units: int, **_more: object) -> Agreement:
        self.asked.append((signed.payload, units))
        answer = self.agreements.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Desk:
    """Operations and what they were made of."""

    operations: EngineOperations
    book: Book
    takes: Takes
    events: EventLog
    board: Board


def desk(party: Party) -> Desk:
    """The operations of a party."""
    book, takes, swap_log = Book(), Takes(), EventLog()
    views, board = SwapViews(ASSETS), Board(party.world.clock)
    party.swaps.listen(SwapPump(party.world, views, swap_log).follow)
    context = Context(
        world=party.world,
        network="regtest",
        version="1",
        started_at=party.world.clock.now(),
        assets=ASSETS,
        views=views,
        swaps=party.swaps,
        market=cast("Market", book),
        offers=cast("OwnOffers", NoOffers()),
        taker=cast("Taker", takes),
        book_events=EventLog(),
        swap_events=swap_log,
        alarm_events=EventLog(),
        board=board,
        state=lambda: "running",
        backups=Backups(party.world, "/backup.sqlite3"),
    )
    return Desk(EngineOperations(context), book, takes, swap_log, board)
