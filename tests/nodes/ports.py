"""Owns which TCP ports the tests' processes listen on."""

import os
import random
import socket
from typing import Final

_FIRST: Final = 20_000
_EACH: Final = 1_500
_WORKERS: Final = 8
"""Up to 32,000: above that the kernel picks ports for connections."""

_given: set[int] = set()
"""The last ones; of long runs the first may be given again."""


def free_port() -> int:
    """A TCP port that nobody listens on, that was not given before in this process, and that no
    other worker of the same test run is given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    first = _FIRST + worker * _EACH
    if len(_given) > _EACH // 2:
        _given.clear()
    while True:
        port = random.SystemRandom().randrange(first, first + _EACH)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
