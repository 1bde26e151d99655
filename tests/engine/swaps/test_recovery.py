"""The machine is lost at every single step of every story; words and recovery file go on."""

from collections.abc import Callable

import pytest
from trio.testing import MockClock

from protocol.assets import AssetId
from protocol.swap.states import End, Unfunded
from swapd.engine import putback
from swapd.ports import RecoveryError, RecoveryStatus
from swapd.recovery.content import Addresses, Content, Saved
from swapd.recovery.takeover import take_over
from tests.engine.swaps.stage import Party, Stage, times_of
from tests.engine.swaps.stories import STORIES, check_books, locks_ever_sent
from tests.engine.swaps.test_crashes import first_times, numbered

SAFE = {End.COMPLETED, End.REFUNDED, End.NEVER_FUNDED}


class Vault:
    """The recovery file of a party, in memory. `content` is what another machine would read."""

    def __init__(self, party: Party, *, eager: bool) -> None:
        self.party, self.eager = party, eager
        self.content: Content | None = None
        self.fails = False
        self.asked = 0
        self.on_secure: Callable[[], None] = lambda: None
        party.recovery = self
        party.reborn = self.give_back
        party.build()

    async def secure(self) -> None:
        self.asked += 1
        self.on_secure()
        if self.fails:
            raise RecoveryError("the stick was pulled out")
        self.write()

    def status(self) -> RecoveryStatus:
        return RecoveryStatus(())

    def write(self) -> None:
        disk, party = self.party.disk, self.party
        rows = [disk.journal[swap_id][-1] for swap_id in sorted(disk.open)]
        assets = sorted({key.partition("|")[0] for space, key in disk.values if space == "address"})
        self.content = Content(
            version=1,
            network="regtest",
            generation=1 + (self.content.generation if self.content else 0),
            written_at=party.stage.clock.now(),
            epoch=1,
            swaps=tuple(Saved(row.swap_id, row.sequence, row.at, row.state) for row in rows),
            addresses=tuple(Addresses(asset, 1) for asset in assets),
        )

    def follow(self) -> None:
        """From now on the file is written at each change, not only before a lock leaves."""
        if self.eager:
            self.party.swaps.listen(lambda _state, _sequence: self.write())

    async def give_back(self) -> None:
        party = self.party
        if self.content is not None:
            await take_over(
                self.content, party.store, address_of=self.address, now=party.stage.clock.now()
            )
        await putback.settle(party.world)
        self.follow()

    def address(self, asset: AssetId, index: int) -> str:
        return self.party.world.chains[asset].address_of(self.party.signer.wallet_key(asset, index))


@pytest.mark.parametrize("eager", [pytest.param(True, marks=pytest.mark.slow), False])
@pytest.mark.parametrize("name", STORIES)
async def test_the_loss_of_the_machine_at_any_point_loses_nothing(
    name: str, eager: bool, mock_clock: MockClock
) -> None:
    """`eager` False: the file is as old as it can be, of the last lock that left."""
    story, who = STORIES[name]
    stage = Stage(mock_clock)
    async with stage.running():
        await story(stage)
    for point, times in first_times(numbered(stage.points[who])):
        stage = Stage(mock_clock)
        party = stage.taker if who == "taker" else stage.maker
        vault = Vault(party, eager=eager)
        vault.follow()
        party.loses_disk = True
        stage.crash_at = (who, point, times)
        async with stage.running():
            swap = await story(stage)
            await stage.blocks(60, swap)
        assert party.crashes == 1, (point, times)
        sent = locks_ever_sent(party, swap)
        if swap.swap_id not in party.disk.journal:
            assert not sent, "no lock leaves before the file knows of it"
            continue
        state = party.state(swap.swap_id)
        assert state.restored
        if state.outcome is None:
            assert isinstance(state.own, Unfunded), (point, times)
            assert not sent
            continue
        assert state.outcome.end in SAFE, (point, times)
        await check_books(party, swap, state.outcome.end)


async def test_no_lock_leaves_while_the_recovery_file_cannot_be_written(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    vault = Vault(stage.taker, eager=False)
    vault.fails = True
    async with stage.running():
        swap = await stage.agree()
        await stage.settle(4)
        assert vault.asked > 0
        assert stage.taker.btc.broadcasts == []
        assert "stick" in stage.taker.swaps.trouble(swap.swap_id)
        vault.fails = False
        await stage.settle(10)
        await stage.blocks(15, swap)
    assert stage.taker.end(swap) is End.COMPLETED


async def test_a_lock_that_waited_for_the_file_beyond_its_gate_stays(mock_clock: MockClock) -> None:
    """A slow disk: the gate was open when the lock was due, and is not when the file is there."""
    stage = Stage(mock_clock)
    vault = Vault(stage.taker, eager=False)
    gate = 0

    def late() -> None:
        stage.clock.advance(max(0, gate - stage.clock.now()))

    vault.on_secure = late
    async with stage.running():
        taken, made = stage.agreement()
        gate = times_of(taken).lock_gate_i
        await stage.maker.start(made)
        await stage.taker.start(taken)
        await stage.settle(31)
        assert vault.asked > 0
        assert not locks_ever_sent(stage.taker, taken)


async def test_a_claim_waits_for_no_recovery_file(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    vault = Vault(stage.taker, eager=False)
    async with stage.running():
        swap = await stage.agree()
        await stage.block()
        vault.fails = True
        await stage.blocks(15, swap)
    assert stage.taker.end(swap) is End.COMPLETED
