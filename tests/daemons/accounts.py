"""Owns a fleet whose daemons also swap on chains of accounts: one anvil a chain for all of them,
contracts and a token on it, money in everybody's two accounts.

Knows the daemons as `fleet` does; their accounts from their words, as any wallet would. A chain is
named by its coin: ETH (with the token USDC), and BETH (with BUSDC) where there are two.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import combinations
from pathlib import Path
from typing import Any, Final, Self

import trio

from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.evm import calls
from protocol.evm.address import account_of, checksummed, parse_address
from protocol.evm.contract import artifact
from protocol.evm.legs import contract_of
from swapd.keys import words
from swapd.keys.signer import SeedSigner
from swapd.parts import address_of_key
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
"""Seconds before the clock's beginning at which the chains begin."""

TOKENS: Final = {"ETH": "USDC", "BETH": "BUSDC"}
"""By the coin of their chain."""

NUMBERS: Final = {"ETH": 31337, "BETH": 31338}
COINS: Final = {asset: coin for coin, token in TOKENS.items() for asset in (coin, token)}
"""By asset, the coin in which its chain is paid."""

_TOKEN_DECIMALS: Final = 6


class AccountChain:
    """One anvil with the contracts and a token."""

    def __init__(self, coin: str, folder: Path) -> None:
        self.coin = coin
        self.anvil = Anvil(folder, chain_id=NUMBERS[coin])
        self.token = b""
        self._fees: list[tuple[str, list[tuple[str, int]]]] = []
        """By block: its hash, and of each transaction in it who sent it and what it cost."""

    async def start(self, now: int) -> None:
        """The token and both contracts."""
        await self.anvil.start(now)
        self.token = await self.anvil.create_token(decimals=_TOKEN_DECIMALS, now=SOON)
        for code in (artifact.native().init_code(), artifact.token().init_code(self.token)):
            await self.anvil.deploy(code, now=SOON)

    def assets(self) -> dict[str, AssetId]:
        """Ids by ticker."""
        chain = f"eip155:{NUMBERS[self.coin]}"
        return {
            self.coin: AssetId(f"{chain}/slip44:60"),
            TOKENS[self.coin]: AssetId(f"{chain}/erc20:{checksummed(self.token)}"),
        }

    def tables(self, *, token: bool) -> tuple[str, ...]:
        """What an operator writes for this chain."""
        name = f"evm.{self.coin.lower()}"
        chain = (
            f"[{name}]",
            f"chain_id = {NUMBERS[self.coin]}",
            f'own_endpoints = ["{self.anvil.url}"]',
            "poll_ms = 50",
        )
        if not token:
            return chain
        return (
            *chain,
            f"[{name}.tokens.{TOKENS[self.coin].lower()}]",
            f'address = "{checksummed(self.token)}"',
            f"decimals = {_TOKEN_DECIMALS}",
            'symbol = "TEST"',
            'minimum = "1"',
        )

    async def enrich(self, locks: bytes, claims: bytes) -> None:
        """Money for one daemon."""
        await self.anvil.give(locks, 100 * ETHER)
        await self.anvil.give(claims, ETHER)
        mint = MINT + calls.padded(locks) + calls.uint(10**5 * 10**_TOKEN_DECIMALS)
        await self.anvil.send(SOMEONE, self.token, mint, now=SOON)

    async def mine_without(self, now: int) -> None:
        """A block that is too dear for everything that waits."""
        pending = (await self.anvil.rpc("txpool_content"))["pending"]
        offers = [int(tx["maxFeePerGas"], 16) for txs in pending.values() for tx in txs.values()]
        if offers:
            await self.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(max(offers) + 1))
        await self.anvil.mine(now)

    async def until_approved(self, locks: bytes) -> None:
        """The contract may draw the token: the daemon sees to it by itself."""
        asked = calls.allowance(locks, contract_of(self.token))
        with trio.fail_after(60):
            while not any(await self.anvil.read(self.token, asked)):
                await self.anvil.mine(SOON)
                await trio.sleep(0.05)

    async def paid(self, accounts: Sequence[bytes]) -> tuple[int, int]:
        """What transactions of these accounts have cost in all, and how many there were."""
        await self._read_receipts()
        mine = {"0x" + account.hex() for account in accounts}
        found = [fee for _, fees in self._fees for sender, fee in fees if sender in mine]
        return sum(found), len(found)

    async def _read_receipts(self) -> None:
        """What every transaction of the chain as it is has cost; blocks that left are forgotten."""
        tip = await self.anvil.height()
        del self._fees[tip + 1 :]
        while self._fees and self._fees[-1][0] != await self._hash(len(self._fees) - 1):
            self._fees.pop()
        for number in range(len(self._fees), tip + 1):
            receipts = await self.anvil.rpc("eth_getBlockReceipts", hex(number)) or []
            fees = [(r["from"], _times(r["gasUsed"], r["effectiveGasPrice"])) for r in receipts]
            self._fees.append((await self._hash(number), fees))

    async def _hash(self, number: int) -> str:
        return str((await self.anvil.rpc("eth_getBlockByNumber", hex(number), False))["hash"])

    async def held(self, asset: str, accounts: Sequence[bytes]) -> int:
        """Units of the coin or the token."""
        if asset == self.coin:
            return sum([await self.anvil.balance(account) for account in accounts])
        answers = [await self.anvil.read(self.token, calls.balance_of(a)) for a in accounts]
        return sum(int.from_bytes(answer, "big") for answer in answers)


class AccountFleet(Fleet):
    """See the module. `assets` are the tickers of what is swapped."""

    def __init__(self, world: World, assets: Sequence[str], **more: Any) -> None:
        self.assets = tuple(assets)
        coins = dict.fromkeys(COINS[asset] for asset in self.assets if asset in COINS)
        self.accounts = {coin: AccountChain(coin, world.folder / coin) for coin in coins}
        super().__init__(world, **more)
        self.pair = "/".join(self.assets[:2])
        self.deal = (self.assets[0], self.assets[1])
        """What takers pay and what makers sell, where a story does not name it."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, assets: Sequence[str], *, parties: Sequence[str] = ("maker", "taker"), **more: Any
    ) -> AsyncIterator[Self]:
        """World, anvils and fleet, the daemons not started; all ended at the end."""
        fleet = cls.of(assets, parties=parties, **more)
        try:
            await fleet.begin()
            yield fleet
        finally:
            await fleet.end()

    @classmethod
    def of(
        cls, assets: Sequence[str], *, parties: Sequence[str] = ("maker", "taker"), **more: Any
    ) -> Self:
        """Nothing of it started: `begin` and `end` may be called in two runs of trio."""
        chains = [chain for chain in CHAINS if chain in assets] or [CHAINS[0]]
        return cls(World(parties, chains=chains), assets, parties=parties, **more)

    async def begin(self) -> None:
        """Starts the nodes and furnishes the chains."""
        await self.world.start()
        await self.world.refresh()
        self.world.anvils = [chain.anvil for chain in self.accounts.values()]
        for chain in self.accounts.values():
            await chain.start(self.world.clock.now() - PAST)

    async def end(self) -> None:
        """Ends everything."""
        with trio.CancelScope(shield=True):
            await self.stop()
            await self.kill()
            for chain in self.accounts.values():
                await chain.anvil.kill()
            await self.world.stop()

    def chain_of(self, asset: str) -> AccountChain:
        """The chain of accounts that an asset is on."""
        return self.accounts[COINS[asset]]

    @property
    def tickers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.assets, *self.accounts)))

    async def paid(self, name: str, coin: str) -> tuple[int, int]:
        """What a party's transactions on the chain of a coin have cost, and how many there were."""
        return await self.accounts[coin].paid(self.accounts_of(self[name]))

    def asset(self, name: str) -> AssetId:
        """The id of an asset by its ticker."""
        if name in COINS:
            return self.chain_of(name).assets()[name]
        return AssetId({"BTC": BITCOIN_REGTEST, "LTC": LITECOIN_REGTEST}[name].asset_id)

    async def start(self) -> None:
        """As every fleet, after its accounts have money."""
        pairs = ",".join(
            f"{self.asset(a)} {self.asset(b)}" for a, b in combinations(self.assets, 2)
        )
        for settings in (self.relay.settings, self._settings):
            settings["market.pairs"] = pairs
        await super().start()
        for chain in self.accounts.values():
            if TOKENS[chain.coin] in self.assets:
                for daemon in self.daemons.values():
                    await chain.until_approved(self.accounts_of(daemon)[0])

    async def prepare(self) -> None:
        """The daemons know the chains, and their accounts have money."""
        for daemon in self.daemons.values():
            for chain in self.accounts.values():
                token = TOKENS[chain.coin] in self.assets
                daemon.tables = (*daemon.tables, *chain.tables(token=token))
                await chain.enrich(*self.accounts_of(daemon))

    def relay_account_of(self, daemon: SwapdProcess) -> bytes:
        """Of a daemon: the one that pays gas while it is locked."""
        seed = words.seed_of(words.entropy_of(daemon.words))
        key = SeedSigner(seed, test_network=True, entropy=bytes).relay_secret()
        return parse_address(address_of_key(key))

    def accounts_of(self, daemon: SwapdProcess) -> tuple[bytes, bytes]:
        """Of a daemon: the one that locks, the one that claims."""
        seed = words.seed_of(words.entropy_of(daemon.words))
        signer = SeedSigner(seed, test_network=True, entropy=bytes)
        locks, claims = (account_of(signer.account_key(index)) for index in (0, 1))
        return locks, claims

    async def depth(self, chain: str, txid: str) -> int | None:
        """Of a transaction on any of the chains."""
        if chain not in COINS:
            return await super().depth(chain, txid)
        anvil = self.chain_of(chain).anvil
        tx = await anvil.rpc("eth_getTransactionByHash", "0x" + txid)
        if tx is None:
            return None
        if tx["blockNumber"] is None:
            return 0
        return await anvil.height() - int(tx["blockNumber"], 16) + 1

    async def holdings(self, name: str, chain: str) -> int:
        """What a party has, in base units: of assets on a chain of accounts in both accounts."""
        if chain not in COINS:
            return await super().holdings(name, chain)
        return await self.chain_of(chain).held(chain, self.accounts_of(self[name]))

    async def fee(self, chain: str, txid: str) -> int:
        """What a transaction cost, by its receipt or its inputs."""
        if chain not in COINS:
            return await super().fee(chain, txid)
        asked = "0x" + txid
        receipt = await self.chain_of(chain).anvil.rpc("eth_getTransactionReceipt", asked)
        return _times(receipt["gasUsed"], receipt["effectiveGasPrice"])


def _times(gas: str, price: str) -> int:
    """Of two quantities as nodes write them."""
    return int(gas, 16) * int(price, 16)
