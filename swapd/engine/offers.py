"""Our own offers: posted, kept on disk, taken from, published again with what remains.

Owns: the accounts, their slots, sequences and log numbers, what takers may still refer to.
Must not know: gossip, negotiation's messages, the control socket.

Taking and giving back are immediate, so that of two takers of the same coins one is first. Disk
and book follow: one writer task stores an account, then publishes what changed. Failure and
persistence: should a crash fall between a take and its record, `start` takes again what the journal
of swaps says was agreed; takes that came to no swap are given back there.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
import trio
from msgspec import Struct
from msgspec.structs import replace

from protocol.amounts import Units
from protocol.assets import AssetId
from protocol.codec import decode, encode
from protocol.errors import DecodeError, Refusal, RemoteProtocolError
from protocol.offers import (
    MAX_OFFER_SIZE,
    OFFER_VERSION,
    Cancel,
    Floor,
    Offer,
    Signed,
    pair_id,
)
from protocol.signing import Tag, tagged_hash
from protocol.swap.states import End, SwapState
from protocol.terms import Role
from swapd.api.errors import ApiError, ErrorName
from swapd.engine.market import Market, sign_own
from swapd.engine.offers_account import (
    KEPT_VERSIONS,
    Account,
    Status,
    decode_account,
    encode_account,
)
from swapd.engine.offers_checks import Draft, check_funds, examine
from swapd.engine.world import World
from swapd.ports import StoreError, StoreFull

SPACE: Final = "offer"
SLOTS: Final = "offer-slot"
SEQUENCES: Final = "offer-sequence"
LOG: Final = "offer-log"
MAX_STANDING: Final = 200
"""Offers at once: within what a book keeps of one maker."""
KEPT_ENDED: Final = 200
RETRY_SECONDS: Final = 5

_log = structlog.get_logger("offers")


class Standing(Struct, frozen=True):
    """One of our offers as the operator sees it: exact units of the sold asset. `offer` is the
    version published last, `offer_id` its id; `free` is what nobody has taken or is taking."""

    offer_id: bytes
    offer: Offer
    status: Status
    total: int
    free: int
    reserved: int
    filled: int


class _Slot:
    """An account, its versions by id, and what stands in the book now."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.versions = {
            tagged_hash(Tag.OFFER, payload): decode(Offer, payload, max_size=MAX_OFFER_SIZE)
            for payload in account.versions
        }
        self.public: Offer | None = None

    @property
    def newest(self) -> tuple[bytes, Offer]:
        """Id and content of the version published last."""
        name = next(reversed(self.versions))
        return name, self.versions[name]


RunningStates = Callable[[], Iterable[SwapState]]
SwapLookup = Callable[[bytes], Awaitable[tuple[SwapState, int, int] | None]]
"""The newest state of a swap by its id, with its sequence and time; None when there is none."""


class OwnOffers:
    """`held(asset)`: units of ours that are promised to swaps and in no signed lock yet."""

    def __init__(
        self, world: World, market: Market, *, held: Callable[[AssetId], int] = lambda _: 0
    ) -> None:
        self._world = world
        self._market = market
        self._held = held
        self._slots: dict[int, _Slot] = {}
        self._names: dict[bytes, _Slot] = {}
        self._dirty: set[int] = set()
        self._wake = trio.Event()
        self._speaking = trio.Lock()
        """Held from a log number's allocation to its announcement: they are said in order."""
        self._posting = trio.Lock()
        self._closing = False

    @property
    def _is_closed(self) -> bool:
        """Nothing is published or given: we stop, or no swap may begin."""
        return self._closing or bool(self._world.mode.may_begin())

    # --- Life ---------------------------------------------------------------------------------

    async def start(self, lookup: SwapLookup, running: RunningStates = tuple) -> int:
        """Reads back what stood when we stopped, and publishes it again under new numbers.

        `lookup` decides the takes that the disk knows: no swap came of one, or it has ended.
        `running` gives the states of running swaps: what they took is taken again, should the disk
        not know it. It is asked at that moment, for swaps end meanwhile. Needs a running market.
        Returns how many are live. Raises StoreError.
        """
        for key, data in await self._world.store.items(SPACE):
            try:
                self._add(_Slot(decode_account(data)))
            except DecodeError as error:
                _log.error("an offer on disk can't be read", slot=key, why=error.detail)
        for slot in tuple(self._slots.values()):
            for take in slot.account.taken:
                found = await lookup(take.swap_id)
                if found is None:
                    self.restore(take.swap_id)
                else:
                    self.follow(found[0], found[1])
        self._adopt(running())
        self._expire()
        for number in tuple(self._slots):
            if number in self._dirty or self._stands(self._slots[number]):
                await self._update(self._slots[number])
        await self._forget_old()
        return len(self.live())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Stores and publishes what changed, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._obey_mode)
            task_status.started()
            await self._write()

    async def _write(self) -> None:
        while True:
            with trio.move_on_after(RETRY_SECONDS):
                await self._wake.wait()
            self._wake = trio.Event()
            self._expire()
            for number in sorted(self._dirty):
                try:
                    await self._update(self._slots[number])
                except StoreError as error:
                    # Stays dirty: tried again with the next change or pause.
                    _log.error("offer not stored", slot=number, why=str(error))
            if len(self._slots) > MAX_STANDING + KEPT_ENDED:
                await self._forget_old()

    async def withdraw(self) -> int:
        """For the end of the daemon: everybody is told that our offers are void, takes are
        refused; they stand again after the next start. Returns how many were live."""
        live = len(self.live())
        self._closing = True
        await self._void()
        return live

    async def _void(self) -> None:
        """Tells everybody that nothing of ours stands any more."""
        async with self._speaking:
            if any(slot.public is not None for slot in self._slots.values()):
                try:
                    await self._say_floor()
                except StoreError as error:
                    _log.error("offers end by our silence only", why=str(error))
            for slot in self._slots.values():
                slot.public = None

    async def call(self) -> None:
        """Says on every pair that whatever an earlier life of this seed offered is void, and that
        we are here."""
        async with self._speaking:
            try:
                self._market.call(*await self._floor())
            except StoreError as error:
                _log.error("an earlier life's offers end by its silence only", why=str(error))

    async def _say_floor(self) -> None:
        self._market.withdraw_all(*await self._floor())

    async def _floor(self) -> tuple[Floor, Signed]:
        world, number = self._world, await self._next(LOG)
        maker, now = world.signer.maker_key(), world.clock.now()
        floor = Floor(OFFER_VERSION, maker, number, number - 1, now)
        return floor, await sign_own(world, Tag.FLOOR, floor)

    def _adopt(self, running: Iterable[SwapState]) -> None:
        for state in running:
            agreement = state.agreement
            slot = self._names.get(agreement.terms.offer_id)
            if agreement.role is not Role.PARTICIPANT or slot is None:
                continue
            units = int(agreement.own.amount.units)
            if not slot.account.has(agreement.swap_id) and units <= slot.account.free:
                self._change(slot, slot.account.take(agreement.swap_id, units))

    def follow(self, state: SwapState, _sequence: int) -> None:
        """A swap changed (a listener of Swaps): when it has ended, so has its take."""
        if state.outcome is None:
            return
        swap_id = state.agreement.swap_id
        for slot in self._taken_by(swap_id):
            if state.outcome.end is End.NEVER_FUNDED:
                self._change(slot, slot.account.give_back(swap_id))
            elif state.outcome.end is End.COMPLETED:
                self._change(slot, slot.account.fill(swap_id))
            else:
                self._change(slot, slot.account.write_off(swap_id))

    # --- What the operator does ---------------------------------------------------------------

    async def post(self, draft: Draft, *, dry_run: bool = False) -> Standing:
        """Posts an offer, on disk before anybody sees it. With `dry_run` everything is checked
        and nothing kept. Raises ApiError: nothing was committed."""
        if self._is_closed:
            raise self._no_offers()
        async with self._posting:
            account = await examine(self._world, draft)
            self._check_room(account)
            chain, promised = self._world.chains[draft.sell], self.promised(draft.sell)
            await check_funds(chain, draft.maximum, promised=promised)
            if dry_run:
                offer = self._offer(account, 1, 1, account.total)
                return self._standing(tagged_hash(Tag.OFFER, encode(offer)), offer, account)
            try:
                number = await self._world.store.next_counter(SLOTS, self._world.clock.now())
                slot = _Slot(replace(account, slot=number))
                await self._first_update(slot)
            except StoreError as error:
                raise ApiError(_store_problem(error), str(error)) from error
        return self._standing_of(slot)

    def _require_published(self, slot: _Slot) -> None:
        """Raises ApiError where offers were closed since the checks."""
        if not slot.versions:
            raise self._no_offers()

    def _no_offers(self) -> ApiError:
        reason = self._world.mode.may_begin()
        if reason:
            return ApiError(ErrorName.NO_NEW_SWAPS, reason)
        return ApiError(ErrorName.SHUTTING_DOWN, "the daemon is stopping", "start it again")

    async def _first_update(self, slot: _Slot) -> None:
        """All of a new offer, or nothing."""
        self._add(slot)
        try:
            await self._update(slot)
            self._require_published(slot)
        except BaseException:
            number = slot.account.slot
            del self._slots[number]
            self._dirty.discard(number)
            with trio.move_on_after(1, shield=True), contextlib.suppress(StoreError):
                await self._world.store.delete(SPACE, str(number))
            raise

    async def cancel(self, name: bytes) -> Standing:
        """Ends an offer, by the id of any of its versions. Swaps agreed before go on.
        Raises ApiError: unknown_offer, offer_expired, offer_cancelled, store_failed."""
        slot = self._names.get(name)
        if slot is None:
            raise ApiError(
                ErrorName.UNKNOWN_OFFER, f"{name.hex()} is no offer of ours", "see `offer.list`"
            )
        if self.status(slot.account) is Status.EXPIRED:
            raise ApiError(ErrorName.OFFER_EXPIRED, "it has expired by itself", "see `offer.list`")
        if slot.account.ended:
            raise ApiError(
                ErrorName.OFFER_CANCELLED, f"it is {slot.account.ended} already", "see `offer.list`"
            )
        self._change(slot, slot.account.end(Status.CANCELLED))
        try:
            await self._update(slot)
        except StoreError as error:
            remedy = "takes are refused, but it leaves the book only when the disk works again"
            raise ApiError(_store_problem(error), str(error), remedy) from error
        return self._standing_of(slot)

    async def cancel_all(self) -> tuple[bytes, ...]:
        """Cancels every offer that stands; the ids."""
        names = [slot.newest[0] for slot in self._slots.values() if self._stands(slot)]
        for name in names:
            await self.cancel(name)
        return tuple(names)

    def standing(self, *, include_ended: bool = False) -> tuple[Standing, ...]:
        """Our offers, newest first."""
        slots = (self._slots[number] for number in sorted(self._slots, reverse=True))
        return tuple(
            self._standing_of(slot)
            for slot in slots
            if slot.versions and (include_ended or self._stands(slot))
        )

    def live(self) -> tuple[Standing, ...]:
        """Those that the book shows."""
        return tuple(standing for standing in self.standing() if standing.status is Status.LIVE)

    def find(self, name: bytes) -> Standing | None:
        """One of our offers by the id of any of its versions."""
        slot = self._names.get(name)
        return None if slot is None else self._standing_of(slot)

    def promised(self, asset: AssetId) -> int:
        """Units of `asset` that our offers or takes in progress promise and no lock holds."""
        offered = sum(
            slot.account.free
            for slot in self._slots.values()
            if slot.account.sell == asset and self._stands(slot)
        )
        return offered + self._held(asset)

    def status(self, account: Account) -> Status:
        """Where an account stands at this moment."""
        if not account.ended and self._world.clock.now() >= account.expires:
            return Status.EXPIRED
        return account.status

    # --- What takers do -----------------------------------------------------------------------

    def get(self, name: bytes) -> Offer:
        """The offer as the taker saw it, if it still stands: an older version too, since only
        what remains differs. Raises RemoteProtocolError: unknown_offer, offer_cancelled,
        offer_expired, shutting_down."""
        if self._is_closed:
            raise RemoteProtocolError(Refusal.SHUTTING_DOWN, "this maker is stopping")
        slot = self._names.get(name)
        if slot is None:
            raise RemoteProtocolError(Refusal.UNKNOWN_OFFER, "not an offer of ours")
        status = self.status(slot.account)
        if status is Status.EXPIRED:
            raise RemoteProtocolError(Refusal.OFFER_EXPIRED, "it has expired")
        if status is Status.CANCELLED:
            raise RemoteProtocolError(Refusal.OFFER_CANCELLED, "it was cancelled")
        return slot.versions[name]

    def remaining(self, name: bytes) -> int:
        """Exact units of the sold asset that nobody has taken or is taking."""
        slot = self._names.get(name)
        return 0 if slot is None or not self._stands(slot) else slot.account.free

    def consume(self, name: bytes, swap_id: bytes, units: int) -> None:
        """Takes `units` out of what remains. Raises RemoteProtocolError as `get` does, and
        amount_taken."""
        self.get(name)
        slot = self._names[name]
        if slot.account.has(swap_id):
            raise RemoteProtocolError(Refusal.WRONG_SWAP, "this swap took from it already")
        if not 0 < units <= slot.account.free:
            detail = f"{units} wanted, {slot.account.free} are left"
            raise RemoteProtocolError(Refusal.AMOUNT_TAKEN, detail)
        self._change(slot, slot.account.take(swap_id, units))

    def restore(self, swap_id: bytes) -> None:
        """Gives back what this swap took; without effect when it took nothing."""
        for slot in self._taken_by(swap_id):
            self._change(slot, slot.account.give_back(swap_id))

    async def _obey_mode(self) -> None:
        """Takes our offers back as soon as no swap may begin, and posts them again when one may.
        Where another daemon has our seed a floor would end its offers too: silence ends ours."""
        mode, seen = self._world.mode, ""
        while True:
            while mode.may_begin() == seen:
                await mode.wait_change()
            seen = mode.may_begin()
            if mode.watch_only:
                self._market.fall_silent()
            if seen:
                await self._void()
                _log.warning("offers withdrawn", why=seen)
            else:
                self._dirty.update(n for n, slot in self._slots.items() if self._stands(slot))
                self._wake.set()

    # --- Storing and publishing ---------------------------------------------------------------

    def _change(self, slot: _Slot, account: Account) -> None:
        if not account.ended and account.status is Status.FILLED:
            account = account.end(Status.FILLED)
        slot.account = account
        self._dirty.add(account.slot)
        self._wake.set()

    async def _update(self, slot: _Slot) -> None:
        """Brings disk, then book, to what the account says. Raises StoreError."""
        async with self._speaking:
            number = slot.account.slot
            self._dirty.discard(number)
            try:
                offer = await self._next_version(slot)
                account = slot.account
                await self._world.store.put(SPACE, str(number), encode_account(account))
                if offer is not None:
                    self._market.announce(offer, await sign_own(self._world, Tag.OFFER, offer))
                    slot.public = offer
                elif slot.public is not None and self._maximum(account) is None:
                    await self._take_down(slot)
            except StoreError:
                self._dirty.add(number)
                raise

    async def _next_version(self, slot: _Slot) -> Offer | None:
        """A version to publish, noted in the account; None when what is public is still true."""
        maximum = self._maximum(slot.account)
        if maximum is None or (slot.public is not None and slot.public.maximum == maximum):
            return None
        offer = self._offer(
            slot.account, await self._next(SEQUENCES), await self._next(LOG), maximum
        )
        payload = encode(offer)
        # The account of this moment: it may have moved on while the counters were written.
        slot.account = slot.account.publish(payload)
        name = tagged_hash(Tag.OFFER, payload)
        slot.versions[name] = offer
        self._names[name] = slot
        while len(slot.versions) > KEPT_VERSIONS:
            oldest = next(iter(slot.versions))
            del slot.versions[oldest], self._names[oldest]
        return offer

    async def _take_down(self, slot: _Slot) -> None:
        public, slot.public = slot.public, None
        if public is None or self._world.clock.now() >= public.expires:
            return
        cancel = Cancel(
            OFFER_VERSION,
            public.maker,
            await self._next(LOG),
            pair_id(public.sell, public.buy),
            tagged_hash(Tag.OFFER, encode(public)),
            public.slot,
            public.sequence,
            self._world.clock.now(),
        )
        self._market.withdraw(cancel, await sign_own(self._world, Tag.CANCEL, cancel))

    def _maximum(self, account: Account) -> Units | None:
        """What the book should show; None for nothing."""
        shows = self.status(account) is Status.LIVE and not self._is_closed
        return account.shown if shows else None

    def _offer(self, account: Account, sequence: int, number: int, maximum: Units) -> Offer:
        return Offer(
            version=OFFER_VERSION,
            maker=self._world.signer.maker_key(),
            slot=account.slot,
            sequence=sequence,
            number=number,
            sell=account.sell,
            buy=account.buy,
            price=account.price,
            minimum=account.minimum,
            maximum=maximum,
            created=account.created,
            expires=account.expires,
            kinds=account.kinds,
            timing=account.timing,
            exposure=account.exposure,
            depth_sell=account.depth_sell,
            depth_buy=account.depth_buy,
            min_fee_rate=account.min_fee_rate,
        )

    async def _next(self, counter: str) -> int:
        """Never below the milliseconds of now: a restored backup jumps ahead of what it forgot."""
        return await self._world.store.next_counter(counter, self._world.clock.now_ms())

    # --- Keeping order ------------------------------------------------------------------------

    def _add(self, slot: _Slot) -> None:
        self._slots[slot.account.slot] = slot
        for name in slot.versions:
            self._names[name] = slot

    def _stands(self, slot: _Slot) -> bool:
        return self.status(slot.account) in (Status.LIVE, Status.PAUSED)

    def _taken_by(self, swap_id: bytes) -> list[_Slot]:
        return [slot for slot in self._slots.values() if slot.account.has(swap_id)]

    def _expire(self) -> None:
        for slot in self._slots.values():
            if not slot.account.ended and self.status(slot.account) is Status.EXPIRED:
                self._change(slot, slot.account.end(Status.EXPIRED))

    async def _forget_old(self) -> None:
        """Keeps the newest of those that ended and have no undecided take."""
        over = [n for n in sorted(self._slots) if self._is_over(self._slots[n])]
        for number in over[: max(0, len(over) - KEPT_ENDED)]:
            await self._world.store.delete(SPACE, str(number))
            for name in self._slots.pop(number).versions:
                del self._names[name]

    def _is_over(self, slot: _Slot) -> bool:
        account = slot.account
        return bool(account.ended) and not account.taken and account.slot not in self._dirty

    def _check_room(self, account: Account) -> None:
        if pair_id(account.sell, account.buy) not in self._market.pairs:
            raise ApiError(
                ErrorName.PAIR_INVALID,
                "this daemon does not follow that pair",
                "add it to the pairs in the configuration",
            )
        if sum(self._stands(slot) for slot in self._slots.values()) >= MAX_STANDING:
            message = f"{MAX_STANDING} offers stand already"
            raise ApiError(ErrorName.TOO_MANY_OFFERS, message, "cancel one of them first")

    def _standing_of(self, slot: _Slot) -> Standing:
        name, offer = slot.newest
        return self._standing(name, offer, slot.account)

    def _standing(self, name: bytes, offer: Offer, account: Account) -> Standing:
        return Standing(
            offer_id=name,
            offer=offer,
            status=self.status(account),
            total=int(account.total),
            free=account.free,
            reserved=account.reserved,
            filled=int(account.filled),
        )


def _store_problem(error: StoreError) -> ErrorName:
    return ErrorName.DISK_FULL if isinstance(error, StoreFull) else ErrorName.STORE_FAILED
