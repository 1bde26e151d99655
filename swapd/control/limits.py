"""How much one client, and all of them, may ask for.

Owns: the bounds and the token bucket. Must not know: sockets; time is an argument.
"""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of the control socket. Per client: `rate` calls per second with bursts of `burst`,
    `open_requests` at once, `subscriptions`; a line in of `max_line` bytes, a reply of
    `max_reply`; above `out_high_water` bytes not yet read nothing more is begun for it, and after
    `stall_seconds` without progress it is dropped. For all: `clients`."""

    clients: int = 100
    rate: int = 2000
    burst: int = 4000
    open_requests: int = 64
    subscriptions: int = 16
    max_line: int = 1024 * 1024
    max_reply: int = 8 * 1024 * 1024
    out_high_water: int = 1024 * 1024
    stall_seconds: float = 20.0


class TokenBucket:
    """Allows `rate` per second on average and `burst` at once. Times are seconds of any clock
    that only goes forward."""

    def __init__(self, rate: int, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> float:
        """Uses one token: 0.0 when there was one, else the seconds until there will be."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate
