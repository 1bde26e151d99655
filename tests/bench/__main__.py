"""`./dev bench`: every figure of the README and docs, with the peer it is held against."""

import sys
import time

import trio

from tests.bench import control, idle, offers, store, swaps
from tests.bench.report import Row, milliseconds, show
from tests.daemons.process import SwapdProcess
from tests.nodes import World


async def _main() -> list[Row]:
    rows = offers.measure()
    rows += await store.measure()
    async with World.open() as world:
        await world.fund("maker", "LTC", 12, 300_000_000)
        await world.fund("taker", "BTC", 12, 30_000_000)
        root = world.folder / "daemons"
        relay = SwapdProcess("relay", root / "relay", clock=world.clock.path, party=None)
        daemons = [relay]
        try:
            await relay.start()
            known = [await relay.address()]
            for name in ("maker", "taker"):
                daemon = SwapdProcess(
                    name, root / name, clock=world.clock.path, party=world[name], bootstrap=known
                )
                await daemon.init()
                daemons.append(daemon)
                began = time.perf_counter()
                await daemon.start()
                took = milliseconds(time.perf_counter() - began)
                rows.append(Row(f"start to ready, {name}", took, "", "", "seed decryption in it"))
            maker, taker = daemons[1], daemons[2]
            rows += await control.measure(taker, world["taker"])
            rows += await swaps.measure(world, maker, taker)
            rows += await idle.measure(taker)
        finally:
            for daemon in daemons:
                if daemon.exit_code is None:
                    await daemon.stop()
    return rows


if __name__ == "__main__":
    show(trio.run(_main))
    sys.stdout.flush()
