"""When recovery files are written, and what a place that fails means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from swapd.ports import JournalRecord, RecoveryError
from swapd.recovery import keeper as keeping
from swapd.recovery.content import Content, seal, unseal
from swapd.recovery.keeper import GENERATION, Keeper
from tests.fakes.clock import FakeClock
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeStore

SWAP = b"s" * 32


class Bench:
    """A keeper over a store in memory, on a real directory."""

    def __init__(self, folder: Path, *, places: int = 1, command: tuple[str, ...] = ()) -> None:
        self.store, self.signer, self.clock = FakeStore(), FakeSigner("ann"), FakeClock()
        self.paths = [folder / f"place-{n}" / "recovery.swapd" for n in range(places)]
        for path in self.paths:
            path.parent.mkdir(exist_ok=True)
        self.told: list[str] = []
        self.keeper = self.make(5, command=command)

    def make(self, epoch: int, *, command: tuple[str, ...] = ()) -> Keeper:
        return Keeper(
            self.store, self.signer, self.clock,
            paths=self.paths, command=command, network="regtest", epoch=epoch,
            superseded=self.told.append,
        )  # fmt: skip

    async def append(self, sequence: int, *, still_open: bool = True) -> None:
        record = JournalRecord(SWAP, sequence, 1, b"", f"state {sequence}".encode())
        await self.store.append(record, open_swap=still_open)

    def read(self, place: int = 0) -> Content:
        return unseal(self.paths[place].read_bytes(), self.signer)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.keeper.run)
            yield
            nursery.cancel_scope.cancel()


async def test_every_place_holds_the_newest_rows_of_open_swaps_and_no_ended_one(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, places=2)
    await bench.append(1)
    await bench.append(2)
    await bench.store.put("address", "asset-a|addr1", b"1")
    await bench.store.put("address", "asset-a|addr9", b"9")
    await bench.keeper.secure()
    for place in range(2):
        held = bench.read(place)
        assert [(saved.sequence, saved.state) for saved in held.swaps] == [(2, b"state 2")]
        assert [(entry.asset, entry.last) for entry in held.addresses] == [("asset-a", 9)]
        assert bench.paths[place].stat().st_mode & 0o777 == 0o600
    await bench.append(3, still_open=False)
    await bench.keeper.secure()
    assert bench.read().swaps == ()


async def test_each_file_is_newer_than_the_one_before_and_the_journal_knows_it(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await bench.keeper.secure()
    first = bench.read().generation
    await bench.keeper.secure()
    assert bench.read().generation > first
    assert await bench.store.counter(GENERATION) == bench.read().generation


async def test_a_change_is_written_without_anybody_waiting_for_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        before = bench.read().generation
        bench.keeper.note()
        with trio.fail_after(20):
            while bench.read().generation == before:
                await trio.lowlevel.checkpoint()


async def test_a_place_that_cannot_be_written_is_named_and_the_others_are_written(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, places=2)
    bench.paths[0].parent.rmdir()
    with pytest.raises(RecoveryError, match=r"place-0.*is it mounted"):
        await bench.keeper.secure()
    assert bench.read(1).version == 1
    first, second = bench.keeper.status().paths
    assert (first.ok, first.written_at, second.ok) == (False, 0, True)
    assert "place-0" in first.error
    bench.paths[0].parent.mkdir()
    await bench.keeper.secure()
    assert all(place.ok for place in bench.keeper.status().paths)


async def test_a_place_that_failed_is_tried_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RETRY_SECONDS", 0)
    bench = Bench(tmp_path)
    bench.paths[0].parent.rmdir()
    async with bench.running():
        assert not bench.keeper.status().paths[0].ok
        bench.paths[0].parent.mkdir()
        with trio.fail_after(20):
            while not bench.keeper.status().paths[0].ok:
                await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("there", [b"something else", None])
async def test_what_is_not_ours_is_never_overwritten(tmp_path: Path, there: bytes | None) -> None:
    bench = Bench(tmp_path)
    foreign = there or seal(Content(1, "regtest", 1, 1, 1, (), ()), FakeSigner("bob"))
    bench.paths[0].write_bytes(foreign)
    with pytest.raises(RecoveryError, match="move it away"):
        await bench.keeper.secure()
    assert bench.paths[0].read_bytes() == foreign


async def test_the_older_of_two_daemons_with_one_seed_and_one_file_gives_way(
    tmp_path: Path,
) -> None:
    older = Bench(tmp_path)
    newer = Bench(tmp_path)
    newer.keeper = newer.make(6)
    await older.keeper.secure()
    newer.clock.advance(5)
    await newer.keeper.secure()
    assert newer.told == []
    with pytest.raises(RecoveryError, match="a newer daemon of this seed"):
        await older.keeper.secure()
    assert len(older.told) == 1
    assert older.read().epoch == 6


async def test_a_file_that_could_not_be_taken_over_is_never_replaced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.keeper.secure()
    before = bench.paths[0].read_bytes()
    keeper = Keeper(
        bench.store, bench.signer, bench.clock,
        paths=bench.paths, network="regtest", epoch=9, blocked="no node for its coins",
    )  # fmt: skip
    with pytest.raises(RecoveryError, match="no node for its coins"):
        await keeper.secure()
    assert bench.paths[0].read_bytes() == before
    [place] = keeper.status().paths
    assert not place.ok
    assert "no node" in place.error


async def test_the_program_gets_the_path_and_its_failure_counts(tmp_path: Path) -> None:
    script = tmp_path / "carry"
    script.write_text(f'#!/bin/sh\ncp "$2" {tmp_path}/carried\ntest "$1" = good\n')
    script.chmod(0o700)
    bench = Bench(tmp_path, command=(str(script), "good"))
    await bench.keeper.secure()
    assert (tmp_path / "carried").read_bytes() == bench.paths[0].read_bytes()
    for command, words in (
        ((str(script), "bad"), "ended with 1"),
        ((str(tmp_path / "none"),), "can't be run"),
    ):
        bench.keeper = bench.make(5, command=command)
        with pytest.raises(RecoveryError, match=words):
            await bench.keeper.secure()


async def test_a_store_that_fails_makes_no_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.store.full = True
    with pytest.raises(RecoveryError, match="disk is full"):
        await bench.keeper.secure()
    assert not bench.paths[0].exists()
