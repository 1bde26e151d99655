"""Payout addresses of the seed: given out once each, and found again by what they are.

Owns: which index an address has. Must not know: keys (the signer derives), adapters.
"""

from protocol.assets import AssetId
from swapd.engine.world import World
from swapd.ports import Store

SPACE = "address"


async def fresh_address(world: World, asset: AssetId, *, refund: bool = False) -> str:
    """A payout address of the seed that was never given out, durably remembered; on a chain with
    accounts the one that claims, or refunds, are paid to."""
    fixed = world.chains[asset].fixed_address(refund=refund)
    if fixed is not None:
        return fixed
    index = await world.store.next_counter(counter_of(asset), 1)
    key = key_of(world, asset, index)
    await world.store.put(SPACE, key, str(index).encode())
    return key.removeprefix(f"{asset}|")


def counter_of(asset: AssetId) -> str:
    """The store's counter of the addresses of `asset`."""
    return f"{SPACE}:{asset}"


def key_of(world: World, asset: AssetId, index: int) -> str:
    """Under which an address is remembered."""
    address = world.chains[asset].address_of(world.signer.wallet_key(asset, index))
    return f"{asset}|{address}"


async def known_addresses(world: World, asset: AssetId) -> dict[str, int]:
    """Every payout address of `asset` that was given out, with its index."""
    return await addresses_in(world.store, asset)


async def addresses_in(store: Store, asset: AssetId) -> dict[str, int]:
    """The same from a store alone."""
    prefix = f"{asset}|"
    return {
        key.removeprefix(prefix): int(value)
        for key, value in await store.items(SPACE)
        if key.startswith(prefix)
    }
