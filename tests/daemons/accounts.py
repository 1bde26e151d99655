"""Owns a fleet whose daemons also swap on a chain of accounts: one anvil for all, contracts and a
token on it, money in everybody's two accounts.

Knows the daemons as `fleet` does; their accounts from their words, as any wallet would.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.evm import calls
from protocol.evm.address import account_of, checksummed, create2
from protocol.evm.contract import artifact
from swapd.keys import words
from swapd.keys.signer import SeedSigner
from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess
from tests.nodes import World
from tests.nodes.anvil import SOMEONE, Anvil
from tests.nodes.world import CHAINS

ETHER: Final = 10**18
MINT: Final = calls.selector("mint(address,uint256)")
SOON: Final = 0
"""A second after the block before: nothing here may be ahead of the clock."""

PAST: Final = 1000
"""Seconds before the clock's beginning at which the chain begins."""

DECIMALS: Final = {"BTC": 8, "LTC": 8, "ETH": 18, "USDC": 6}


class AccountFleet(Fleet):
    """See the module. `pair` is "BTC/ETH" and the like."""

    def __init__(self, world: World, anvil: Anvil, pair: str, **more: Any) -> None:
        self.anvil = anvil
        self.token = b""
        super().__init__(world, **more)
        self.pair = pair

    @classmethod
    @asynccontextmanager
    async def open(
        cls, pair: str, *, parties: Sequence[str] = ("maker", "taker"), **more: Any
    ) -> AsyncIterator["AccountFleet"]:
        """World, anvil and fleet, the daemons not started; all ended at the end."""
        chains = [chain for chain in CHAINS if chain in pair.split("/")]
        async with World.open(parties, chains=chains or ["BTC"]) as world:
            anvil = Anvil(world.folder / "anvil")
            world.anvil = anvil
            fleet = cls(world, anvil, pair, parties=parties, **more)
            try:
                await anvil.start(world.clock.now() - PAST)
                await fleet._furnish()
                yield fleet
            finally:
                await fleet.stop()
                await fleet.kill()
                await anvil.kill()

    async def _furnish(self) -> None:
        """The token and both contracts."""
        self.token = await self.anvil.create_token(decimals=DECIMALS["USDC"], now=SOON)
        for code in (artifact.native().init_code(), artifact.token().init_code(self.token)):
            await self.anvil.deploy(code, now=SOON)

    def asset(self, name: str) -> AssetId:
        """The id of an asset by its ticker."""
        found = {
            "BTC": BITCOIN_REGTEST.asset_id,
            "LTC": LITECOIN_REGTEST.asset_id,
            "ETH": "eip155:31337/slip44:60",
            "USDC": f"eip155:31337/erc20:{checksummed(self.token)}",
        }
        return AssetId(found[name])

    def tables(self) -> tuple[str, ...]:
        """What an operator writes for this chain, and the token if it is swapped."""
        chain = (
            "[evm.eth]",
            "chain_id = 31337",
            f'own_endpoints = ["{self.anvil.url}"]',
            "poll_ms = 50",
        )
        if "USDC" not in self.pair:
            return chain
        return (
            *chain,
            "[evm.eth.tokens.usdc]",
            f'address = "{checksummed(self.token)}"',
            "decimals = 6",
            'symbol = "TEST"',
            'minimum = "1"',
        )

    async def start(self) -> None:
        """As every fleet, after its accounts have money."""
        one, other = (self.asset(name) for name in self.pair.split("/"))
        pairs = {"market.pairs": f"{one} {other}"}
        self.relay.settings.update(pairs)
        self._settings.update(pairs)
        await super().start()
        if "USDC" in self.pair:
            for daemon in self.daemons.values():
                await self._until_approved(daemon)

    async def _until_approved(self, daemon: SwapdProcess) -> None:
        """Its contract may draw the token: the daemon sees to it by itself."""
        contract = create2(artifact.DEPLOYER, artifact.SALT, artifact.token().init_code(self.token))
        asked = calls.allowance(self.accounts(daemon)[0], contract)
        with trio.fail_after(60):
            while not any(await self.anvil.read(self.token, asked)):
                await self.anvil.mine(SOON)
                await trio.sleep(0.05)

    async def prepare(self) -> None:
        """The daemons know the chain, and their accounts have money."""
        for daemon in self.daemons.values():
            daemon.tables = self.tables()
            locks, claims = self.accounts(daemon)
            await self.anvil.give(locks, 100 * ETHER)
            await self.anvil.give(claims, ETHER)
            mint = MINT + calls.padded(locks) + calls.uint(10_000 * 10 ** DECIMALS["USDC"])
            await self.anvil.send(SOMEONE, self.token, mint, now=SOON)

    def accounts(self, daemon: SwapdProcess) -> tuple[bytes, bytes]:
        """Of a daemon: the one that locks, the one that claims."""
        seed = words.seed_of(words.entropy_of(daemon.words))
        signer = SeedSigner(seed, test_network=True, entropy=bytes)
        locks, claims = (account_of(signer.account_key(index)) for index in (0, 1))
        return locks, claims

    async def depth(self, chain: str, txid: str) -> int | None:
        """Of a transaction on any of the chains."""
        if chain in {"BTC", "LTC"}:
            return await super().depth(chain, txid)
        tx = await self.anvil.rpc("eth_getTransactionByHash", "0x" + txid)
        if tx is None:
            return None
        if tx["blockNumber"] is None:
            return 0
        return await self.anvil.height() - int(tx["blockNumber"], 16) + 1

    async def holdings(self, name: str, chain: str) -> int:
        """What a party has, in base units: of assets on the chain of accounts in both accounts."""
        if chain in {"BTC", "LTC"}:
            return await super().holdings(name, chain)
        accounts = self.accounts(self[name])
        if chain == "ETH":
            return sum([await self.anvil.balance(account) for account in accounts])
        answers = [await self.anvil.read(self.token, calls.balance_of(a)) for a in accounts]
        return sum(int.from_bytes(answer, "big") for answer in answers)

    async def fee(self, chain: str, txid: str) -> int:
        """What a transaction cost, by its receipt or its inputs."""
        if chain in {"BTC", "LTC"}:
            return await super().fee(chain, txid)
        receipt = await self.anvil.rpc("eth_getTransactionReceipt", "0x" + txid)
        return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
