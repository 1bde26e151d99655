"""Takes offers of others, any number at once.

Owns: the order look, promise, talk; and turning what went wrong into one kind of error.
Must not know: adapters, how one take is made (engine.asking), how a swap runs.
"""

from protocol.errors import RemoteProtocolError
from protocol.offers import Signed, offer_id, open_offer
from protocol.swap.agreement import Agreement
from swapd.engine.asking import Asking, MakerSilent, TakeRefused
from swapd.engine.reservations import OverLimit, Reservations, RunningSwaps
from swapd.engine.world import World
from swapd.ports import ChannelClosed


class Taker:
    """Takes offers of others, any number at once."""

    def __init__(self, world: World, ledger: Reservations, swaps: RunningSwaps) -> None:
        self._world = world
        self._ledger = ledger
        self._swaps = swaps

    async def take(
        self,
        signed: Signed,
        units: int,
        *,
        peer_id: str,
        addresses: tuple[str, ...],
        destination: str | None = None,
    ) -> Agreement:
        """Takes `units` of what the offer sells, paid to `destination` (or a fresh address of the
        seed). `peer_id` and `addresses` are from the maker's certificate.

        Returns when the swap is journalled. Raises TakeRefused, MakerSilent, PeerUnreachable,
        NetworkDown, ChainError (InsufficientFunds among them), StoreError, and ValueError for a
        destination that is no address of the bought asset's chain. Nothing is committed then.
        """
        try:
            offer = open_offer(signed, now=self._world.clock.now())
            attempt = Asking(self._world, self._ledger, self._swaps, offer, peer_id)
            try:
                draft, pair = await attempt.prepare(offer_id(signed), units, destination)
                async with self._ledger.looking(offer.buy):
                    await attempt.promise(draft, pair)
                return await attempt.negotiate(draft, pair, addresses, destination)
            finally:
                attempt.give_back()
        except OverLimit as error:
            raise TakeRefused(
                error.refusal, error.detail, by_maker=False, limit=error.limit
            ) from error
        except RemoteProtocolError as error:
            raise TakeRefused(error.refusal, error.detail, by_maker=False) from error
        except ChannelClosed as error:
            raise MakerSilent(f"the maker left: {error}") from error


__all__ = ["MakerSilent", "TakeRefused", "Taker"]
