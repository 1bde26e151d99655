"""Filling the book from others over direct channels, and answering when others ask us.

Owns: the protocol `BOOK_PROTOCOL` on channels: asking, paging, answering, and its limits.
Must not know: gossip, heartbeats, how items are judged (that is the intake's).

A request names a pair and what we have; the answer comes in pages of at most 64 KiB. Whoever
answers is not trusted: each item is opened, and a set counts as whole only by the digest that the
maker signed.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
import trio
from msgspec import Struct

from protocol.errors import RemoteProtocolError
from protocol.gossip import Item
from protocol.reconcile import (
    BOOK_PROTOCOL,
    MAX_HEADS,
    RECONCILE_VERSION,
    BookRequest,
    Head,
    Section,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    page,
)
from swapd.engine.market_intake import Gap
from swapd.ports import Channel, ChannelClosed, NetworkDown, Peers, PeerUnreachable

STEP_SECONDS: Final = 20
"""How long either side waits for the next message."""
PAUSES_SECONDS: Final = (0, 2, 10)
"""Before each attempt to open a channel to a peer that came."""
MAX_PAGES: Final = 512
"""Pages of one conversation: a full book with room to spare."""
MAX_ANSWERING: Final = 16
MAX_ANSWERING_PER_PEER: Final = 2
FETCHERS: Final = 2
MAX_JOBS: Final = 256
RETRY_SECONDS: Final = 5
"""Least time between two fetches of one maker and pair."""

_log = structlog.get_logger("booksync")


class Source(Struct, frozen=True):
    """A peer that can be asked, and where it can be reached when it is not connected."""

    peer_id: str
    addresses: tuple[str, ...] = ()


class _Job(Struct, frozen=True):
    gap: Gap
    sources: tuple[Source, ...]


class BookSync:
    """`sections(request)` is what we can tell; `heads(pair)` what we have; `accept(items, peer)`
    takes one answer's items in (all pages together); `is_gap(gap)` whether it is still one."""

    def __init__(
        self,
        peers: Peers,
        pairs: tuple[bytes, ...],
        *,
        sections: Callable[[BookRequest], Iterable[Section]],
        heads: Callable[[bytes], tuple[Head, ...]],
        accept: Callable[[tuple[Item, ...], str], Awaitable[None]],
        is_gap: Callable[[Gap], bool],
    ) -> None:
        self._peers = peers
        self._pairs = pairs
        self._sections = sections
        self._heads = heads
        self._accept = accept
        self._is_gap = is_gap
        self._jobs: deque[_Job] = deque()
        self._work = trio.Semaphore(0)
        self._asked_at: dict[Gap, float] = {}
        self._answering: dict[str, int] = {}
        self._asking: set[str] = set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answers and fetches until cancelled."""
        inbound = self._peers.serve(BOOK_PROTOCOL)
        async with trio.open_nursery() as nursery:
            for _ in range(FETCHERS):
                nursery.start_soon(self._fetch_for_ever)
            task_status.started()
            async for channel in inbound:
                nursery.start_soon(self._answer, channel)

    # --- Asking -------------------------------------------------------------------------------

    async def ask_all(self, peer_id: str) -> None:
        """Asks a peer for every pair that we follow; again a little later when it can't be reached
        (its market may still be starting). Never raises for what the peer does."""
        if peer_id in self._asking:
            return
        self._asking.add(peer_id)
        try:
            for pause in PAUSES_SECONDS:
                await trio.sleep(pause)
                wanted = [(pair, b"", self._heads(pair)[:MAX_HEADS]) for pair in self._pairs]
                if await self._converse(Source(peer_id), wanted):
                    break
        finally:
            self._asking.discard(peer_id)

    def fetch(self, gap: Gap, sources: Iterable[Source]) -> None:
        """Has a gap filled from the first of `sources` that can. Does nothing when it was asked
        for a moment ago, or too much is waiting: the next heartbeat will ask again."""
        now = trio.current_time()
        if len(self._asked_at) >= MAX_JOBS:
            due = now - RETRY_SECONDS
            self._asked_at = {gap: at for gap, at in self._asked_at.items() if at > due}
        recently = now - self._asked_at.get(gap, -RETRY_SECONDS) < RETRY_SECONDS
        if recently or len(self._jobs) >= MAX_JOBS or len(self._asked_at) >= MAX_JOBS:
            return
        self._asked_at[gap] = now
        self._jobs.append(_Job(gap, tuple(sources)))
        self._work.release()

    async def _fetch_for_ever(self) -> None:
        while True:
            await self._work.acquire()
            job = self._jobs.popleft()
            for source in job.sources:
                if not self._is_gap(job.gap):
                    break
                await self._converse(source, [(job.gap.pair, job.gap.maker, ())])

    async def _converse(
        self, source: Source, wanted: list[tuple[bytes, bytes, tuple[Head, ...]]]
    ) -> bool:
        """One channel, one question after the other. What a peer does wrong ends it. Returns
        False when no channel could be opened."""
        try:
            channel = await self._peers.open(source.peer_id, source.addresses, BOOK_PROTOCOL)
        except (PeerUnreachable, NetworkDown) as error:
            _log.debug("no book from peer", peer_id=source.peer_id, why=str(error))
            return False
        try:
            for pair, maker, heads in wanted:
                request = BookRequest(RECONCILE_VERSION, pair, maker, heads, b"")
                items = await self._all_pages(channel, request)
                await self._accept(items, source.peer_id)
        except (ChannelClosed, NetworkDown, trio.TooSlowError) as error:
            _log.debug("book not complete", peer_id=source.peer_id, why=repr(error))
        except RemoteProtocolError as error:
            await self._peers.penalise(source.peer_id, f"a book answer: {error}")
        finally:
            await _close(channel)
        return True

    async def _all_pages(self, channel: Channel, request: BookRequest) -> tuple[Item, ...]:
        items: list[Item] = []
        for _ in range(MAX_PAGES):
            with trio.fail_after(STEP_SECONDS):
                await channel.send(encode_request(request))
                data = await channel.receive()
            answer = decode_answer(data, after=request.cursor)
            items.extend(answer.items)
            if not answer.cursor:
                break
            request = BookRequest(
                request.version, request.pair, request.maker, request.heads, answer.cursor
            )
        return tuple(items)

    # --- Answering ----------------------------------------------------------------------------

    async def _answer(self, channel: Channel) -> None:
        peer_id = channel.peer_id
        busy = self._answering.get(peer_id, 0)
        if busy >= MAX_ANSWERING_PER_PEER or sum(self._answering.values()) >= MAX_ANSWERING:
            await _close(channel)
            return
        self._answering[peer_id] = busy + 1
        try:
            await self._answer_requests(channel)
        except (ChannelClosed, NetworkDown, trio.TooSlowError):
            pass  # The usual end: whoever asked has what he wanted.
        except RemoteProtocolError as error:
            await self._peers.penalise(peer_id, f"a book request: {error}")
        finally:
            self._answering[peer_id] -= 1
            if not self._answering[peer_id]:
                del self._answering[peer_id]
            await _close(channel)

    async def _answer_requests(self, channel: Channel) -> None:
        for _ in range(MAX_PAGES):
            with trio.fail_after(STEP_SECONDS):
                request = decode_request(await channel.receive())
                known = request.pair in self._pairs
                sections = self._sections(request) if known else ()
                await channel.send(encode_answer(page(sections, request.cursor)))


async def _close(channel: Channel) -> None:
    """Closes even while we are being cancelled, but not for long."""
    with trio.move_on_after(1, shield=True):
        await channel.aclose()
