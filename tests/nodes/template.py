"""Owns the prepared chains that every world starts from: mined once, kept in the user's cache.

A template is a node's data folder with `HEIGHT` blocks, a funder's wallet that holds the first
`FUNDER_BLOCKS` rewards, and a tip so young at `BASE_TIME` that no node thinks it is syncing.
"""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from tests.nodes.binaries import cache_dir, find_node
from tests.nodes.clock import BASE_TIME
from tests.nodes.node import Chain, Node, NodeOptions

FUNDER_BLOCKS: Final = 110  # the reward halves each 150 blocks: the early ones are worth having
FUNDER_WALLET: Final = "funder"
HEIGHT: Final[dict[Chain, int]] = {
    "BTC": 220,  # rewards mature after 100
    "LTC": 1380,  # bip65 is buried at 1351 on litecoin's regtest: no refund is safe before
}
_SPACED_BLOCKS = 20  # the last ones come 10 s apart, so that the median time is near the tip's
_KEPT = ("blocks", "chainstate", "indexes")


def _key(chain: Chain) -> str:
    """Changes with the node's version and with this file, so that no stale template is used."""
    name = {"BTC": "bitcoind", "LTC": "litecoind"}[chain]
    version = subprocess.run([find_node(name), "-version"], check=True, capture_output=True).stdout
    return hashlib.sha256(version + Path(__file__).read_bytes()).hexdigest()[:16]


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def _build(chain: Chain, target: Path) -> None:
    """Mine the template into `target`, which must not exist."""
    work = target.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    node = Node(chain, work, NodeOptions(txindex=True))
    now = BASE_TIME - 7200
    try:
        await node.start(now)
        await node.rpc("createwallet", FUNDER_WALLET)
        reward = await node.rpc("getnewaddress", wallet=FUNDER_WALLET)
        nobody = await node.nobody()
        await node.rpc("generatetoaddress", FUNDER_BLOCKS, reward)
        rest = HEIGHT[chain] - FUNDER_BLOCKS - _SPACED_BLOCKS
        await node.rpc("generatetoaddress", rest, nobody)
        for back in range(_SPACED_BLOCKS, 0, -1):
            await node.set_time(BASE_TIME - 10 * back)
            await node.rpc("generatetoaddress", 1, nobody)
        await node.stop()
    finally:
        await node.kill()
    await trio.to_thread.run_sync(work.rename, target)


async def template(chain: Chain) -> Path:
    """The `regtest` folder of the prepared chain; made now if the cache has none."""
    target = cache_dir() / f"regtest-{chain}-{_key(chain)}"
    if not target.exists():
        with _exclusive(cache_dir() / f"regtest-{chain}.lock"):
            if not target.exists():
                for stale in cache_dir().glob(f"regtest-{chain}-*"):
                    shutil.rmtree(stale, ignore_errors=True)
                await _build(chain, target)
    return target / "regtest"


def copy_template(source: Path, datadir: Path, *, txindex: bool, wallet: bool) -> None:
    """Fill `datadir` of a node that has not run yet from the template `source`."""
    goal = datadir / "regtest"
    goal.mkdir(parents=True)
    for name in _KEPT:
        if (source / name).exists() and (txindex or name != "indexes"):
            shutil.copytree(source / name, goal / name)
    if wallet:
        shutil.copytree(source / "wallets" / FUNDER_WALLET, goal / "wallets" / FUNDER_WALLET)
