"""Owns a tower on an anvil, and packages for the legs of `EvmBench`: alice locks, bob claims.

The tower's keeper, vault and database are the real ones, its account is its own, and its clock is
the bench's.
"""

import hashlib
from typing import Any, Final, cast

import msgspec

from protocol.codec import encode
from protocol.evm.address import account_of
from protocol.terms import LegTerms
from protocol.tower.package import PACKAGE_VERSION, Act, Package, Variant, Watched, relayed
from swapd.chains.evm import AccountKey, EvmChain, EvmNode
from swapd.keys.secret import Secret
from swapd.keys.signer import public_key_of, sign_recoverable
from swapd.ports import Chain
from swapd.store.memory import StoreMemory
from swapd.tower.keeper import Keeper
from swapd.tower.quotas import Bounds
from swapd.tower.vault import Vault
from tests.chains.evm.bench import HASHLOCK, EvmBench, Side
from tests.fakes.clock import FakeEntropy
from tests.fakes.store import FakeDisk, FakeStore

KEY: Final = Secret(hashlib.sha256(b"the tower's account").digest())
ACCOUNT: Final = account_of(public_key_of(KEY))
FRIEND, STRANGER = "friend", "stranger"
TICKET: Final = b"\x01" * 32


class TowerOnAnvil:
    """See the module. `restart` keeps the disk."""

    keeper: Keeper
    eth: EvmChain
    usdc: EvmChain

    def __init__(self, bench: EvmBench, disk: FakeDisk | None = None) -> None:
        self.bench, self.disk = bench, disk or FakeDisk()
        self.restart()

    def restart(self, keeper: type[Keeper] = Keeper) -> None:
        """A new process on the same disk."""
        store = FakeStore(self.disk)
        memory = StoreMemory(store, "evm:31337")

        async def sign(digest: bytes) -> bytes:
            return sign_recoverable(KEY, digest)

        relay = AccountKey(ACCOUNT, sign)
        config = self.bench.config
        self.node = EvmNode(config, self.bench.clock, relay=relay, memory=memory)
        self.eth = EvmChain(self.node, memory=memory)
        self.usdc = EvmChain(self.node, config.tokens[0], memory)
        chains = {chain.asset: cast("Chain", chain) for chain in (self.eth, self.usdc)}
        relays = {c.asset: c.relay for c in (self.eth, self.usdc) if c.relay is not None}
        self.vault = Vault(store, b"\x02" * 32, FakeEntropy("tower"))
        self.keeper = keeper(
            chains,
            self.vault,
            self.bench.clock,
            bounds=Bounds(clients=frozenset({FRIEND})),
            grace=0,
            relays=relays,
        )

    async def look(self, ticket: bytes = TICKET) -> None:
        """One look at one package."""
        await self.keeper.look(ticket)

    def preimage(self) -> bytes:
        """What it knows, as its next start would."""
        return self.vault.rows[TICKET].progress.preimage

    async def until_spent(self, ticket: bytes = TICKET, *, blocks: int = 12) -> None:
        """Looks and blocks, until the leg is spent for good."""
        for _ in range(blocks):
            await self.look(ticket)
            if self.keeper.holding(bytes(32), ticket).stage.value == "spent":
                return
            await self.bench.mine()
        raise AssertionError("no tower spent the leg")


async def package(
    side: Side,
    leg: LegTerms,
    act: Act,
    *,
    fees: tuple[tuple[int, int], ...] = (),
    relayer: bytes = ACCOUNT,
    index: int | None = None,
    **more: Any,
) -> Package:
    """A package of `side` for a leg, with these fees and times, signed by its account."""
    bare = Package(
        version=PACKAGE_VERSION,
        sequence=1,
        act=act,
        hashlock=HASHLOCK,
        watched=Watched(leg, 0),
        shows=None,
        ways=(),
        destination=leg.claim_key if act is Act.CLAIM else leg.refund_key[:20],
        max_fee=max([fee for fee, _ in fees], default=1),
        preimage=b"",
        yield_until=0,
        keep_until=leg.expiry + 1000,
        relayer=relayer if fees else b"",
    )
    changed = msgspec.structs.replace(bare, **more)
    signer = index if index is not None else (1 if act is Act.CLAIM else 0)
    signed = []
    for fee, not_before in fees:
        digest = relayed(changed).digest(fee, not_before)
        signature = await side.signer.sign_account(signer, digest)
        signed.append(Variant(fee, not_before, signature))
    return msgspec.structs.replace(changed, fees=tuple(signed))


async def leave(tower: TowerOnAnvil, made: Package, client: str = FRIEND) -> None:
    """With the tower, as if it had come over the network."""
    await tower.keeper.put(client, TICKET, encode(made))
