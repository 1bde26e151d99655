"""Answers one take of an offer of ours: from its bytes to a journalled swap.

Owns: the order of checks, and what is promised while they run.
Must not know: adapters, the content of messages (protocol.negotiation), who else is knocking.

Order: what costs nothing first (shape, signature, offer, amounts, limits), then our nodes, then
coins. Coins are looked for and promised under one lock per asset, so of two takers of the same
coins exactly one is answered. The swap is journalled before our signature leaves (journal before
act); should that signature get lost, nobody locks, and the swap machine lets it lapse.
"""

from typing import Final, Protocol

import structlog

from protocol.assets import AssetId
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.limits import SKEW
from protocol.negotiation import maker as rules
from protocol.offers import Offer
from protocol.proof import MAX_PROOF_BYTES, MAX_PROOF_COINS, funds_challenge
from protocol.signing import Tag
from protocol.swap.agreement import Agreement
from protocol.terms import LegName, Role
from swapd.engine import parley
from swapd.engine.addresses import fresh_address
from swapd.engine.reservations import Reservations, RunningSwaps, check_limits
from swapd.engine.world import World
from swapd.ports import Channel, PeerError

log = structlog.get_logger(__name__)

SALT_BYTES: Final = 32


class OwnOffers(Protocol):
    """Our live offers and what is left of them. All methods are immediate."""

    def get(self, offer_id: bytes) -> Offer:
        """A live offer of ours. Raises RemoteProtocolError saying why it is none: unknown_offer,
        offer_cancelled, offer_expired, shutting_down."""
        ...

    def remaining(self, offer_id: bytes) -> int:
        """Exact units of the sold asset that nobody has taken or is taking."""
        ...

    def consume(self, offer_id: bytes, swap_id: bytes, units: int) -> None:
        """Takes `units` out of what remains. Raises RemoteProtocolError (amount_taken)."""
        ...

    def restore(self, swap_id: bytes) -> None:
        """Gives back what this swap took; without effect when it took nothing."""
        ...


class Desk:
    """What all takes being answered share."""

    def __init__(
        self, world: World, offers: OwnOffers, ledger: Reservations, swaps: RunningSwaps
    ) -> None:
        self.world = world
        self.offers = offers
        self.ledger = ledger
        self.swaps = swaps
        self._answered: dict[bytes, int] = {}

    def note_answered(self, swap_id: bytes, skew: int) -> None:
        """Raises RemoteProtocolError (wrong_swap) for a take that was answered before: its bytes
        stay acceptable by their time for as long as clocks may differ."""
        now = self.world.clock.now()
        self._answered = {known: until for known, until in self._answered.items() if until >= now}
        if swap_id in self._answered:
            raise RemoteProtocolError(Refusal.WRONG_SWAP, "this take was answered before")
        self._answered[swap_id] = now + 2 * skew


class Answering:
    """One take. `run` it, then `give_back` whatever came of it."""

    def __init__(self, desk: Desk, channel: Channel) -> None:
        self._desk = desk
        self._world = desk.world
        self._channel = channel
        self._agreed = False
        self.swap_id = b""
        """Of the take, once it could be read."""

    async def run(self) -> None:
        """Raises RemoteProtocolError (the answer is no), ChannelClosed, ChainError, StoreError."""
        asked = await self._hear_take()
        parley.require_may_begin(self._world)
        offer = self._desk.offers.get(asked.take.offer_id)
        pair = await parley.look(self._world, offer)
        granted = rules.grant(
            asked,
            offer=offer,
            offer_id=asked.take.offer_id,
            remaining=self._desk.offers.remaining(asked.take.offer_id),
            side=pair.side,
            now=self._world.clock.now(),
        )
        await parley.check_same_chains(pair, asked.take.pinned_i, asked.take.pinned_p)
        await self._promise(granted, pair)
        salt = self._world.entropy(SALT_BYTES)
        reserved, answer = await self._reserve(granted, pair, salt)
        await self._channel.send(answer)
        log.info("take.reserved", swap=self.swap_id.hex(), peer=self._channel.peer_id)
        data = await parley.hear(self._channel)
        proposed = rules.receive(reserved, data, now=self._world.clock.now())
        if not isinstance(proposed, rules.Proposed):
            raise RemoteProtocolError(Refusal.UNEXPECTED_MESSAGE, "not a proposal")
        await self._accept(proposed, pair, salt)

    def give_back(self) -> None:
        """Ends the promise unless a swap came of it."""
        if self.swap_id and not self._agreed:
            self._desk.ledger.release(self.swap_id)
            self._desk.offers.restore(self.swap_id)

    async def _hear_take(self) -> rules.Asked:
        data = await parley.hear(self._channel)
        asked = rules.receive(rules.Listening(), data, now=self._world.clock.now())
        if not isinstance(asked, rules.Asked):
            raise RemoteProtocolError(Refusal.UNEXPECTED_MESSAGE, "not a take")
        # Before its id is ours to give back: another channel may be holding coins under it.
        self._desk.note_answered(asked.swap_id, SKEW[asked.take.timing])
        if await self._world.store.swap(asked.swap_id) is not None:
            raise RemoteProtocolError(Refusal.WRONG_SWAP, "this take became a swap before")
        self.swap_id = asked.swap_id
        return asked

    async def _promise(self, granted: rules.Granted, pair: parley.Pair) -> None:
        """Holds the coins, fee included. Raises RemoteProtocolError, InsufficientFunds."""
        desk, gives, gets = self._desk, granted.fill.amount_p, granted.fill.amount_i
        async with desk.ledger.looking(gives.asset):
            check_limits(
                self._world.policy,
                desk.ledger,
                desk.swaps,
                gives=(gives.asset, gives.units),
                gets=(gets.asset, gets.units),
                peer_id=self._channel.peer_id,
            )
            desk.offers.consume(granted.take.offer_id, self.swap_id, gives.units)
            promised = desk.ledger.held(gives.asset) + gives.units
            cost = await pair.chain_p.reserved_units(promised, pair.status_p.fee_next)
            desk.ledger.hold(
                self.swap_id,
                gives.asset,
                gives.units,
                granted.take.offer_id,
                fee=cost - promised,
                peer_id=self._channel.peer_id,
            )

    async def _reserve(
        self, granted: rules.Granted, pair: parley.Pair, salt: bytes
    ) -> tuple[rules.Reserved, bytes]:
        signer, units = self._world.signer, granted.fill.amount_p.units
        shown = await pair.chain_p.prove_funds(funds_challenge(self.swap_id), units)
        if len(shown.raw) > MAX_PROOF_BYTES or len(shown.refs) > MAX_PROOF_COINS:
            detail = "too many small coins to prove: join some of them first"
            raise RemoteProtocolError(Refusal.INSUFFICIENT_FUNDS, detail)
        key_i = signer.htlc_key(salt, Role.PARTICIPANT, self.swap_id, LegName.I)
        key_p = signer.htlc_key(salt, Role.PARTICIPANT, self.swap_id, LegName.P)
        answer = rules.draft_reserve(
            granted,
            claim_key_i=await pair.chain_i.claim_party(key_i, None),
            refund_key_p=await pair.chain_p.refund_party(key_p),
            proof=shown,
            now=self._world.clock.now(),
        )
        signature = await signer.sign_maker(Tag.RESERVE, encode(answer))
        return rules.reserve(granted, answer, signature)

    async def _accept(self, proposed: rules.Proposed, pair: parley.Pair, salt: bytes) -> None:
        """Signs, journals, and only then answers."""
        terms = proposed.terms
        is_new = await self._world.store.remember_hashlock(terms.hashlock)
        claimed, locked = _assets(proposed)
        addresses = [
            await fresh_address(self._world, claimed),
            await fresh_address(self._world, locked, refund=True),
        ]
        signature = await self._world.signer.sign_maker(Tag.TERMS, encode(terms))
        now = self._world.clock.now()
        rules.check_acceptable(proposed, is_hashlock_new=is_new, now=now)
        accepted, answer = rules.accept(proposed, signature)
        parley.require_may_begin(self._world)
        await self._desk.swaps.start(self._agreement(accepted, pair, salt, addresses, now))
        self._agreed = True
        self._desk.ledger.agree(self.swap_id)
        log.info("take.agreed", swap=self.swap_id.hex(), peer=self._channel.peer_id)
        try:
            await self._channel.send(answer)
        except PeerError as error:
            # The taker may not know: if it does not lock, the swap lapses by itself.
            log.warning("take.accept_lost", swap=self.swap_id.hex(), reason=str(error))

    def _agreement(
        self,
        accepted: rules.Accepted,
        pair: parley.Pair,
        salt: bytes,
        addresses: list[str],
        now: int,
    ) -> Agreement:
        terms = accepted.terms
        destination, refund_destination = addresses
        return Agreement(
            terms=terms,
            role=Role.PARTICIPANT,
            maker_signature=accepted.maker_signature,
            taker_signature=accepted.taker_signature,
            salt=salt,
            destination=destination,
            refund_destination=refund_destination,
            since_i=parley.start_height(pair.status_i, terms.leg_i.depth),
            since_p=parley.start_height(pair.status_p, terms.leg_p.depth),
            peer_id=self._channel.peer_id,
            agreed_at=now,
        )


def _assets(proposed: rules.Proposed) -> tuple[AssetId, AssetId]:
    """What our claim pays out, and what our refund would."""
    return proposed.terms.leg_i.amount.asset, proposed.terms.leg_p.amount.asset
