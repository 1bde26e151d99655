"""A daemon that starts with nobody there: credentials, watching while locked, unlocking."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from swapd.control.failures import CallError, CannotConnectError
from tests.daemons.fleet import Fleet
from tests.daemons.process import PASSPHRASE, SwapdProcess
from tests.functional import accounts
from tests.functional.test_vanishing import begin, leg_reaches

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]

KEYS = 20
PRICE = 2_000_000
"""Units of BTC that the maker is paid."""

CLAIM_FEES = 20_000


class Unattended(SwapdProcess):
    """Started by a service manager: nobody to ask, and no file is named."""

    flags: tuple[str, ...] = ("--locked",)

    def command(self, verb: str) -> list[str]:
        command = super().command(verb)
        if verb == "run":
            del command[command.index("--passphrase-file") :]
            command += self.flags
        return command


@contextmanager
def notified(folder: Path) -> Iterator[tuple[dict[str, str], socket.socket]]:
    """A $NOTIFY_SOCKET, and what to set for it."""
    path = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        yield {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "600000000"}, heard


async def hear(heard: socket.socket, wanted: str) -> None:
    """Until systemd would have been told `wanted`."""
    with trio.fail_after(90), trio.socket.from_stdlib_socket(heard.dup()) as stream:
        while wanted.encode() not in await stream.recv(4096):
            pass


async def swap_cli(daemon: SwapdProcess, *words: str, typed: str = "") -> tuple[int, str]:
    """A command, with something on its standard input."""
    command = [sys.executable, "-m", "swapd.cli", "--socket", str(daemon.socket), *words]
    done = await trio.run_process(
        command, stdin=typed.encode(), capture_stdout=True, capture_stderr=True, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def unattended(fleet: Fleet, name: str) -> Unattended:
    """The same daemon, as a service manager would start it."""
    usual = fleet[name]
    usual.__class__ = Unattended
    assert isinstance(usual, Unattended)
    return usual


@pytest.fixture
def maker(fleet: Fleet) -> Iterator[Unattended]:
    """The maker's daemon, from its next start on unattended."""
    daemon = unattended(fleet, "maker")
    usual = dict(daemon.environment)
    yield daemon
    daemon.environment = usual
    daemon.__class__ = SwapdProcess  # type: ignore[assignment]  # as it was


async def test_a_locked_maker_claims_after_a_reboot_and_unlocks_into_a_whole_daemon(
    fleet: Fleet, maker: Unattended, tmp_path: Path
) -> None:
    before = await fleet.holdings("maker", "BTC")
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "maker", swap_id, "p", "confirmed")
    await maker.kill()
    with notified(tmp_path) as (environment, heard):
        maker.environment.update(environment)
        await maker.start()
        await hear(heard, "READY=1\nSTATUS=LOCKED")
        assert (await maker.call("getinfo"))["state"] == "locked"
        rows = await journal_rows(maker, swap_id)
        code, told = await swap_cli(maker, "health")
        assert (code, "locked (daemon)" in told) == (6, True)
        code, told = await swap_cli(maker, "swap", "explain", swap_id)
        assert (code, "does only what was signed before" in " ".join(told.split())) == (0, True)
        with pytest.raises(CallError) as refused:
            await maker.call("take", offer_id="00" * 32)
        assert refused.value.name == "daemon_locked"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_claimed, fleet, maker, swap_id, nursery.cancel_scope)
            for _ in range(40):
                await fleet.block()
        assert await journal_rows(maker, swap_id) == rows
        assert (await swap_cli(maker, "unlock", typed="not this one\n"))[0] == 1
        assert (await maker.call("getinfo"))["state"] == "locked"
        code, told = await swap_cli(maker, "unlock", typed=f"{PASSPHRASE}\n")
        assert code == 0, told
        await hear(heard, "READY=1\nSTATUS=running")
    await until_state(maker, "running")
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("completed", "completed")
    assert 0 < before + PRICE - await fleet.holdings("maker", "BTC") < CLAIM_FEES
    assert PASSPHRASE not in maker.log.read_text()


async def journal_rows(daemon: SwapdProcess, swap_id: str) -> int:
    """How long a swap's journal is."""
    return int((await daemon.call("swap.get", swap_id=swap_id))["swap"]["summary"]["sequence"])


async def until_claimed(
    fleet: Fleet, maker: SwapdProcess, swap_id: str, scope: trio.CancelScope
) -> None:
    """Until the locked maker's own view shows its claim in a block."""
    while True:
        legs = (await maker.call("swap.get", swap_id=swap_id))["swap"]["legs"]
        if any(leg["name"] == "i" and leg["status"] == "claimed" for leg in legs):
            scope.cancel()
            return
        await trio.sleep(0.1)


async def until_state(daemon: SwapdProcess, state: str) -> None:
    """While it changes from locked to whole nobody answers for a moment."""
    with trio.fail_after(60):
        while True:
            try:
                if (await daemon.call("getinfo"))["state"] == state:
                    return
            except CannotConnectError:
                pass
            await trio.sleep(0.05)


async def test_a_credential_of_systemd_opens_the_seed_and_readiness_is_told_after_resume(
    fleet: Fleet, maker: Unattended, tmp_path: Path
) -> None:
    await maker.stop()
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "passphrase").write_text(PASSPHRASE)
    with notified(tmp_path) as (environment, heard):
        maker.environment.update(environment, CREDENTIALS_DIRECTORY=str(credentials))
        await maker.start()
        await hear(heard, "READY=1\nSTATUS=running")
        names = [event["event"] for event in maker.events()]
        assert names[::-1].index("daemon.resumed") > names[::-1].index("daemon.ready")
        assert (await maker.call("getinfo"))["state"] == "running"
        assert await maker.stop() == 0
        await hear(heard, "STOPPING=1")


async def test_without_the_flag_nobody_to_ask_ends_it_with_the_code_for_keys(
    fleet: Fleet, maker: Unattended
) -> None:
    await maker.stop()
    maker.flags = ()
    await maker.start(wait=False)
    assert await maker.wait_ended(60) == KEYS
    assert "LoadCredential" in maker.tail(3)
    maker.flags = ("--locked",)
