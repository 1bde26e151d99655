"""One HTTP exchange with a node, its answer bounded.

Owns: `post`, the request's body as trio likes it. Must not know: JSON-RPC, credentials.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Final

import httpx
import trio

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/json",
    # Compressed, a small answer could unfold to any size before it is measured.
    "Accept-Encoding": "identity",
}


def client(*, connections: int, keep: int = 0) -> httpx.AsyncClient:
    """A client that no proxy variable redirects; each exchange has a deadline of its own."""
    return httpx.AsyncClient(
        trust_env=False,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=keep),
        timeout=None,  # noqa: S113 - see above
    )


async def post(
    via: httpx.AsyncClient, url: str, body: bytes, *, most: int, auth: httpx.Auth | None = None
) -> tuple[int, bytes | None]:
    """Status and body of the answer, None for one of more than `most` bytes. Raises
    httpx.HTTPError."""
    chunks: list[bytes] = []
    size = 0
    status = 0
    # Cancelling ends the stream in an orderly way; leaving the loop early would not.
    with trio.CancelScope() as scope:
        request = via.build_request("POST", url, content=body, headers=HEADERS)
        request.stream = _Body(body)
        response = await via.send(request, auth=auth, stream=True)
        async with aclosing(response):
            status = response.status_code
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > most:
                    scope.cancel()
                else:
                    chunks.append(chunk)
    if size > most or scope.cancelled_caught:
        return status, None
    return status, b"".join(chunks)


class _Body(httpx.AsyncByteStream):
    """What a request sends, in one piece. httpx would make an async generator of it, which a node
    that goes away in the middle leaves unfinished: garbage that trio complains about."""

    def __init__(self, data: bytes) -> None:
        self._rest = [data]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._rest:
            raise StopAsyncIteration
        return self._rest.pop()
