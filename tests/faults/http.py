"""Owns reading one HTTP/1.1 message with a Content-Length from a stream: all that nodes and their
clients say to each other. Knows nothing of JSON-RPC.
"""

from typing import Final

import trio

MOST: Final = 200_000_000
_HEAD: Final = 64 * 1024
_CHUNK: Final = 64 * 1024


async def read_message(stream: trio.SocketStream) -> tuple[bytes, bytes] | None:
    """Head (with its empty line) and body; None when the other side hung up before it was whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some(_CHUNK)
        if not more or len(data) > _HEAD:
            return None
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    wanted = content_length(head)
    body = bytearray(rest)
    while len(body) < wanted:
        more = await stream.receive_some(_CHUNK)
        if not more:
            return None
        body += more
    return head + b"\r\n\r\n", bytes(body)


def content_length(head: bytes) -> int:
    """From the header; 0 without one. Raises ValueError for one that no node sends."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
            if not 0 <= length <= MOST:
                raise ValueError(f"a body of {length} bytes")
            return length
    return 0


def answer(body: bytes, status: str = "200 OK") -> bytes:
    """A whole response with this JSON body."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
