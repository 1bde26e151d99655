"""Makes one take: from an offer and an amount to a journalled swap.

Owns: the order of checks, what is promised while they run, refusals in the operator's words.
Must not know: adapters, the content of messages (protocol.negotiation), how a swap runs.

Everything about our own side is checked before the maker hears of us. The salt is on disk before
the hashlock made from it leaves; the maker's proof of funds is checked before we commit to terms;
the swap is journalled before we lock anything. Should the maker's signature get lost on its way,
nothing of ours is locked: the maker's promise lapses, and taking again makes a new swap.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog
import trio

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.negotiation import taker as rules
from protocol.negotiation.messages import PROTOCOL_ID, swap_id_of
from protocol.negotiation.terms import TakerPart
from protocol.offers import Offer
from protocol.proof import funds_challenge
from protocol.signing import Tag
from protocol.swap.agreement import Agreement
from protocol.terms import LegName, Role
from swapd.engine import parley
from swapd.engine.addresses import fresh_address
from swapd.engine.reservations import Limit, Reservations, RunningSwaps, check_limits
from swapd.engine.world import World
from swapd.ports import Channel, FundsProofInvalid, PeerError, PeerUnreachable

log = structlog.get_logger(__name__)

SALT_SPACE: Final = "salt"
"""Where the salt of each take is kept, by swap id in hex (safety rule 6)."""

SALT_BYTES: Final = 32
NONCE_BYTES: Final = 32
CLOSE_SECONDS: Final = 1.0
OPEN_SECONDS: Final = 30.0
"""For reaching the maker at any of its addresses."""

_RETRY = "try again in a minute, or choose another offer"
_OTHER = "choose another offer"
_REMEDIES: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        Refusal.UNKNOWN_OFFER: _OTHER,
        Refusal.OFFER_EXPIRED: _OTHER,
        Refusal.OFFER_CANCELLED: _OTHER,
        Refusal.OWN_OFFER: "choose somebody else's offer",
        Refusal.AMOUNT_OUT_OF_RANGE: "stay between the offer's minimum and what is left of it",
        Refusal.AMOUNT_TAKEN: "somebody was faster: take less, or another offer",
        Refusal.INSUFFICIENT_FUNDS: _OTHER,
        Refusal.BELOW_ECONOMIC_MINIMUM: "give a larger amount",
        Refusal.LIMIT_REACHED: "wait for a swap to end, or change the limit",
        Refusal.UNSUPPORTED_KIND: _OTHER,
        Refusal.UNSUPPORTED_ASSET: "configure this asset, or choose another offer",
        Refusal.WRONG_CHAIN: "compare your node with others: one of you is on a fork",
        Refusal.CLOCK_SKEW: "set the clock of this machine, or choose another offer",
        Refusal.EXPOSURE_TOO_LONG: "choose an offer with a shorter window, or a smaller amount",
        Refusal.NODE_NOT_READY: "wait until the node is ready",
        Refusal.BUSY: _RETRY,
        Refusal.TOO_LATE: _RETRY,
        Refusal.INTERNAL: _RETRY,
        Refusal.SHUTTING_DOWN: _OTHER,
    }
)


class TakeRefused(Exception):
    """The take is off, and nothing was committed: no swap, no transaction.

    `by_maker`: it was the maker who said no. Otherwise we did, to its message or to the order, and
    `limit` names the operator's limit if it was one.
    """

    def __init__(
        self, refusal: Refusal, detail: str, *, by_maker: bool, limit: Limit | None = None
    ) -> None:
        super().__init__(f"{refusal.value}: {detail}")
        self.refusal = refusal
        self.detail = detail
        self.by_maker = by_maker
        self.limit = limit
        self.remedy = _REMEDIES.get(refusal, _OTHER)


class MakerSilent(PeerError):
    """The maker was reached, then left or did not answer in time."""


class Asking:
    """One take on its way. `give_back` ends its promise unless a swap came of it."""

    def __init__(
        self,
        world: World,
        ledger: Reservations,
        swaps: RunningSwaps,
        offer: Offer,
        peer_id: str,
    ) -> None:
        self._world = world
        self._ledger = ledger
        self._swaps = swaps
        self._offer = offer
        self._peer_id = peer_id
        self._salt = world.entropy(SALT_BYTES)
        self._swap_id = b""
        self._agreed = False

    def give_back(self) -> None:
        if self._swap_id and not self._agreed:
            self._ledger.release(self._swap_id)

    async def prepare(
        self, wanted: bytes, units: int, destination: str | None
    ) -> tuple[rules.Draft, parley.Pair]:
        """All that our own side can know. Raises RemoteProtocolError, ChainError, ValueError."""
        world, offer = self._world, self._offer
        parley.require_may_begin(world)
        if offer.maker == world.signer.maker_key():
            raise RemoteProtocolError(Refusal.OWN_OFFER, "this offer is our own")
        if destination is not None:
            parley.chain_for(world, offer.sell).check_address(destination)
        pair = await parley.look(world, offer)
        draft = rules.ask(
            offer,
            wanted,
            units,
            side=pair.side,
            taker=world.signer.taker_key(self._salt),
            nonce=world.entropy(NONCE_BYTES),
            now=world.clock.now(),
        )
        return draft, pair

    async def promise(self, draft: rules.Draft, pair: parley.Pair) -> None:
        """Holds our coins, fee included. Raises OverLimit, InsufficientFunds."""
        gives, gets = draft.fill.amount_i, draft.fill.amount_p
        check_limits(
            self._world.policy,
            self._ledger,
            self._swaps,
            gives=(gives.asset, gives.units),
            gets=(gets.asset, gets.units),
            peer_id=self._peer_id,
        )
        promised = self._ledger.held(gives.asset) + gives.units
        cost = await pair.chain_i.reserved_units(promised, pair.status_i.fee_next)
        swap_id = swap_id_of(encode(draft.take))
        self._ledger.hold(
            swap_id,
            gives.asset,
            gives.units,
            b"",
            fee=cost - promised,
            peer_id=self._peer_id,
        )
        self._swap_id = swap_id

    async def negotiate(
        self,
        draft: rules.Draft,
        pair: parley.Pair,
        addresses: tuple[str, ...],
        destination: str | None,
    ) -> Agreement:
        """Talks to the maker; journals what came of it."""
        channel = await self._open(addresses)
        try:
            offered = await self._ask(channel, draft, pair)
            agreed = await self._propose(channel, offered, pair, destination)
        finally:
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await channel.aclose()
        agreement = await self._agreement(agreed, pair, destination)
        parley.require_may_begin(self._world)
        await self._swaps.start(agreement)
        self._agreed = True
        self._ledger.agree(self._swap_id)
        log.info("take.agreed", swap=self._swap_id.hex(), peer=self._peer_id)
        return agreement

    async def _open(self, addresses: tuple[str, ...]) -> Channel:
        try:
            with trio.fail_after(OPEN_SECONDS):
                return await self._world.peers.open(self._peer_id, addresses, PROTOCOL_ID)
        except trio.TooSlowError:
            message = f"the maker was not reached within {OPEN_SECONDS:.0f} s"
            raise PeerUnreachable(message) from None

    async def _ask(self, channel: Channel, draft: rules.Draft, pair: parley.Pair) -> rules.Offered:
        """Take and reserve; the maker's coins and chains are checked with our own nodes."""
        payload = encode(draft.take)
        signature = await self._world.signer.sign_taker(self._salt, Tag.TAKE, payload)
        state, data = rules.asking(draft, signature)
        await channel.send(data)
        answer = rules.receive(state, await parley.hear(channel), now=self._world.clock.now())
        match answer:
            case rules.Offered():
                reserve = answer.reserve
            case rules.Refused():
                raise TakeRefused(answer.refusal, answer.detail, by_maker=True)
            case _:
                raise RemoteProtocolError(Refusal.UNEXPECTED_MESSAGE, "not a reserve answer")
        await parley.check_same_chains(pair, reserve.pinned_i, reserve.pinned_p)
        challenge = funds_challenge(self._swap_id)
        try:
            await pair.chain_p.check_funds(reserve.proof, challenge, draft.fill.amount_p.units)
        except FundsProofInvalid as error:
            raise RemoteProtocolError(Refusal.BAD_PROOF_OF_FUNDS, str(error)) from error
        return answer

    async def _propose(
        self,
        channel: Channel,
        offered: rules.Offered,
        pair: parley.Pair,
        destination: str | None,
    ) -> rules.Agreed:
        """Terms and the maker's signature. The salt is durable before its hashlock leaves."""
        world, swap_id, salt = self._world, self._swap_id, self._salt
        await world.store.put(SALT_SPACE, swap_id.hex(), salt)
        hashlock = world.signer.hashlock(salt, swap_id)
        if not await world.store.remember_hashlock(hashlock):
            # Our own entropy repeated: a cloned machine or an old backup. Never use it twice.
            detail = "a fresh hashlock of ours was seen before: is this a copy of another daemon?"
            raise RemoteProtocolError(Refusal.REUSED_HASHLOCK, detail)
        key_p = world.signer.htlc_key(salt, Role.INITIATOR, swap_id, LegName.P)
        key_i = world.signer.htlc_key(salt, Role.INITIATOR, swap_id, LegName.I)
        part = TakerPart(
            claim_key_p=await pair.chain_p.claim_party(key_p, destination),
            refund_key_i=await pair.chain_i.refund_party(key_i),
            hashlock=hashlock,
            t0=world.clock.now(),
        )
        terms = rules.draft_terms(offered, part)
        signature = await world.signer.sign_taker(salt, Tag.TERMS, encode(terms))
        state, data = rules.propose(terms, signature, now=world.clock.now())
        await channel.send(data)
        answer = rules.receive(state, await parley.hear(channel), now=world.clock.now())
        match answer:
            case rules.Agreed():
                return answer
            case rules.Refused():
                raise TakeRefused(answer.refusal, answer.detail, by_maker=True)
            case _:
                raise RemoteProtocolError(Refusal.UNEXPECTED_MESSAGE, "not an acceptance")

    async def _agreement(
        self, agreed: rules.Agreed, pair: parley.Pair, destination: str | None
    ) -> Agreement:
        terms, world = agreed.terms, self._world
        if destination is None:
            destination = await fresh_address(world, self._offer.sell)
        return Agreement(
            terms=terms,
            role=Role.INITIATOR,
            maker_signature=agreed.maker_signature,
            taker_signature=agreed.taker_signature,
            salt=self._salt,
            destination=destination,
            refund_destination=await fresh_address(world, self._offer.buy, refund=True),
            since_i=parley.start_height(pair.status_i, terms.leg_i.depth),
            since_p=parley.start_height(pair.status_p, terms.leg_p.depth),
            peer_id=self._peer_id,
            agreed_at=world.clock.now(),
        )
