"""`swapd evm`: accounts named, contracts put where they belong, on a chain where nothing is yet."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from protocol.evm.address import account_of, checksummed
from protocol.evm.contract import artifact
from swapd.config import Config, load
from swapd.evm import accounts, deploy
from swapd.parts import connect_evm
from swapd.ports import NodeMisconfigured
from tests.fakes.clock import FakeClock
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeStore
from tests.nodes.anvil import Anvil

pytestmark = pytest.mark.nodes


class Place:
    """A fresh chain, a token on it, and an operator with a seed."""

    def __init__(self, folder: Path, anvil: Anvil, token: bytes) -> None:
        self.anvil, self.clock = anvil, FakeClock()
        self.signer, self.store = FakeSigner(), FakeStore()
        self.said: list[str] = []
        file = folder / "swapd.toml"
        file.write_text(
            f"""
            network = "regtest"
            data_dir = "{folder}"
            [evm.eth]
            chain_id = 31337
            own_endpoints = ["{anvil.url}"]
            poll_ms = 50
            [evm.eth.tokens.usdc]
            address = "{checksummed(token)}"
            decimals = 6
            symbol = "TEST"
            minimum = "1"
            """
        )
        loaded = load(environ={"HOME": str(folder)}, cwd=folder, file=file)
        self.config: Config = loaded.config
        self.locks, self.claims = (account_of(self.signer.account_key(n)) for n in (0, 1))

    async def run(self, command: object, name: str | None = None) -> None:
        assert callable(command)
        await command(
            self.config,
            name,
            store=self.store,
            signer=self.signer,
            clock=self.clock,
            say=self.said.append,
        )

    async def deploy(self) -> None:
        """While blocks come."""
        async with trio.open_nursery() as nursery:

            async def mine() -> None:
                while True:
                    await self.anvil.mine(0)
                    await trio.sleep(0.05)

            nursery.start_soon(mine)
            with trio.fail_after(30):
                await self.run(deploy)
            nursery.cancel_scope.cancel()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Gone at the end of the test."""
    anvil = Anvil(tmp_path / "anvil")
    try:
        await anvil.start(FakeClock().now() - 1000)
        yield Place(tmp_path, anvil, await anvil.create_token(decimals=6, now=0))
    finally:
        await anvil.kill()


async def test_swapd_puts_its_contracts_where_they_belong_and_only_once(place: Place) -> None:
    await place.anvil.give(place.locks, 10**18)
    chains = connect_evm(place.config.evm[0], place.clock, place.store, place.signer)
    for chain in chains.values():
        with pytest.raises(NodeMisconfigured, match="evm deploy"):
            await chain.check()
    await place.deploy()
    for chain in chains.values():
        await chain.check()
    count = await place.anvil.rpc("eth_getTransactionCount", checksummed(place.locks), "latest")
    place.said.clear()
    await place.deploy()
    assert all("already" in line for line in place.said)
    after = await place.anvil.rpc("eth_getTransactionCount", checksummed(place.locks), "latest")
    assert after == count


async def test_accounts_are_told_with_what_they_hold(place: Place) -> None:
    await place.anvil.give(place.locks, 3 * 10**18 // 2)
    await place.run(accounts)
    told = "\n".join(place.said)
    assert checksummed(place.locks) in told
    assert checksummed(place.claims) in told
    assert "1.5 ETH" in told
    assert told.count("not there yet") == 2
    with pytest.raises(NodeMisconfigured, match="there is eth"):
        await place.run(accounts, "polygon")


async def test_without_the_well_known_deployer_nothing_is_sent(place: Place) -> None:
    await place.anvil.give(place.locks, 10**18)
    await place.anvil.rpc("anvil_setCode", checksummed(artifact.DEPLOYER), "0x6001")
    await place.anvil.mine(0)
    with pytest.raises(BaseExceptionGroup) as failed:
        await place.run(deploy)
    assert failed.group_contains(NodeMisconfigured, match="put it there first")
