"""A process that writes to a store until it is killed: run by test_crash.

It says on stdout what is durable, and that only after the store said so.
"""

import itertools
import resource
import sys
from pathlib import Path

import trio

from swapd.ports import Store, StoreError
from swapd.store.sqlite import SqliteStore
from tests.store.harness import NETWORK, record


def say(word: object) -> None:
    """One line, at once."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def append_for_ever(store: Store) -> None:
    """Swap 1 grows by a record and a counter by one, again and again."""
    for sequence in itertools.count(1):
        await store.append(record(1, sequence), open_swap=True)
        await store.next_counter("heartbeat", 0)
        say(sequence)


async def fail_on_the_disk(store: Store) -> None:
    """Files may not grow any more, which the system reports as an I/O error, not as a full disk."""
    await store.append(record(1, 1), open_swap=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
    try:
        await store.put("meta", "big", bytes(500_000))
    except StoreError as error:
        say(f"first: {error}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for attempt in (store.swap(b""), store.put("meta", "small", b"")):
        try:
            await attempt
        except StoreError as error:
            say(f"then: {error}")


async def main(path: str, what: str) -> None:
    """Open the store at `path` and do `what`."""
    store = await SqliteStore.open(Path(path), network=NETWORK)
    await {"append": append_for_ever, "fail": fail_on_the_disk}[what](store)
    await store.aclose()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
