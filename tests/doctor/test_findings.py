"""Each thing that can be wrong is found under its code, and what is right is not."""

import shutil
import socket
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from swapd import config as configuration
from swapd.config import Loaded
from swapd.doctor import clock, files, nodes, reach
from swapd.doctor.findings import CODES, Finding, Severity, by_urgency, finding
from swapd.ports import ChainStatus, PeerInfo
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_800_000_000


def codes(found: list[Finding]) -> set[str]:
    return {each.code for each in found}


def status(**more: object) -> ChainStatus:
    """A healthy bitcoind on mainnet-like settings."""
    seen = ChainStatus(
        chain=BITCOIN_REGTEST.chain_id,
        asset=AssetId(BITCOIN_REGTEST.asset_id),
        ticker="BTC",
        decimals=8,
        height=900_000,
        tip_hash="00" * 32,
        tip_time=NOW - 600,
        median_time=NOW - 3600,
        peers=8,
        version="Satoshi:29.0.0",
        synced=True,
        pruned=False,
        problems=(),
        fee_next=5_000,
        fee_floor=2_000,
    )
    return replace(seen, **more)


class Node(FakeChain):
    """A fake node whose status is told by hand."""

    def __init__(self, told: ChainStatus, params: object = BITCOIN_REGTEST) -> None:
        super().__init__(FakeLedger(params, FakeClock()))  # type: ignore[arg-type] # of params
        self.told = told
        self.grant(10**8)

    async def status(self) -> ChainStatus:
        await self._answer()
        return self.told


async def look(node: FakeChain, needed_from: int | None = None) -> set[str]:
    return codes((await nodes.examine(node, stress_rate=100_000, needed_from=needed_from))[1])


# --- nodes ------------------------------------------------------------------------------------


async def test_a_healthy_node_has_no_findings() -> None:
    assert await look(Node(status())) == set()


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"problems": ("the node is still catching up (block 1 of 2)",)}, "node_syncing"),
        ({"problems": ("a competing branch of 2 blocks ends",)}, "node_not_ready"),
        ({"problems": ("wallet 'x' is not loaded at y",)}, "wallet_missing"),
        ({"version": "Satoshi:24.0.1"}, "node_no_miniscript"),
        ({"fee_next": 100_001}, "fee_stress"),
        ({"fee_floor": 9_000}, "mempool_full"),
        ({"pruned": True, "prune_height": 899_000}, "node_pruned_shallow"),
    ],
)
async def test_what_a_node_tells_is_found(told: dict[str, object], code: str) -> None:
    assert await look(Node(status(**told))) == {code}


async def test_a_pruned_node_is_deep_enough_from_sixteen_days_of_blocks_on() -> None:
    # 48 h + 14 days at a block per ten minutes: 2304 blocks
    for kept, expected in ((2304, set()), (2303, {"node_pruned_shallow"})):
        lowest = 900_000 - kept + 1
        assert await look(Node(status(pruned=True, prune_height=lowest))) == expected


async def test_a_block_that_an_open_swap_needs_and_that_was_pruned_is_critical() -> None:
    pruned = status(pruned=True, prune_height=890_000)
    assert await look(Node(pruned), needed_from=890_000) == set()
    assert await look(Node(pruned), needed_from=889_999) == {"node_pruned_too_much"}
    assert CODES["node_pruned_too_much"].severity is Severity.CRITICAL


async def test_a_node_that_fails_is_told_by_how() -> None:
    node = Node(status())
    node.down = True
    assert await look(node) == {"node_unreachable"}
    node.down = False
    node.misconfigured = "another chain"
    assert await look(node) == {"node_misconfigured"}
    node.misconfigured = ""
    node.locked = True
    assert await look(node) == {"wallet_locked"}


async def test_an_empty_wallet_and_a_litecoind_are_worth_a_word() -> None:
    node = FakeChain(FakeLedger(LITECOIN_REGTEST, FakeClock()))
    assert await look(node) == {"wallet_empty", "replacement_unknown"}


# --- the clock --------------------------------------------------------------------------------


def test_a_clock_behind_median_time_and_one_far_ahead_are_found() -> None:
    assert clock.by_chains(NOW, [status()]) == []
    behind = clock.by_chains(NOW - 3601, [status()])
    assert codes(behind) == {"clock_behind"}
    assert "1 s behind" in behind[0].what
    old = status(tip_time=NOW - 4 * 3600)
    assert codes(clock.by_chains(NOW, [old])) == {"clock_ahead"}
    assert clock.by_chains(NOW, [old, status()]) == [], "one chain alone may stand still"


def test_a_clock_that_the_nodes_peers_contradict_by_over_a_minute_is_found() -> None:
    for offset, expected in ((60, set()), (61, {"clock_off"}), (-61, {"clock_off"})):
        assert codes(clock.by_chains(NOW, [status(time_offset=offset)])) == expected


def test_the_kernel_is_believed_only_when_it_says_no() -> None:
    assert codes(clock.by_kernel(synchronised=False)) == {"clock_not_synchronised"}
    assert clock.by_kernel(synchronised=True) == clock.by_kernel(synchronised=None) == []
    assert clock.is_synchronised() in {True, False, None}


# --- files ------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Loaded:
    """A relay's configuration and an orderly data directory."""
    (tmp_path / "regtest").mkdir(mode=0o700)
    return configuration.load(
        environ={"HOME": str(tmp_path)},
        cwd=tmp_path,
        flags={"network": "regtest", "data_dir": str(tmp_path)},
    )


def test_an_orderly_place_has_no_findings(place: Loaded) -> None:
    place.config.paths.seed.touch(mode=0o600)
    assert codes(files.examine(place.config)) <= {"disk_low", "disk_full"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_seed_that_others_can_touch_is_critical_and_the_remedy_mends_it(
    place: Loaded, mode: int
) -> None:
    seed = place.config.paths.seed
    seed.touch()
    seed.chmod(mode)
    [found] = [f for f in files.examine(place.config) if f.subject == str(seed)]
    assert (found.code, found.severity) == ("mode_loose", Severity.CRITICAL)
    subprocess.run(found.remedy.split(), check=True)
    assert stat.S_IMODE(seed.stat().st_mode) == 0o600
    assert files.only_ours(seed, 0o600) == []


def test_an_open_directory_and_a_loose_passphrase_file_are_found(
    place: Loaded, tmp_path: Path
) -> None:
    place.config.paths.root.chmod(0o755)
    secret = tmp_path / "passphrase"
    secret.touch()
    secret.chmod(0o644)
    found = files.examine(place.config, passphrase_file=secret)
    assert {f.subject for f in found if f.code == "mode_loose"} == {
        str(place.config.paths.root),
        str(secret),
    }


def test_warnings_of_the_configuration_are_findings(place: Loaded) -> None:
    found = files.examine(place.config, warnings=["p2p.listen is odd"])
    assert [f.what for f in found if f.code == "config_warning"] == ["p2p.listen is odd"]


@pytest.mark.parametrize(
    ("free", "expected"),
    [(99 * 10**6, {"disk_full"}), (999 * 10**6, {"disk_low"}), (10**9, set())],
)
def test_a_disk_that_fills_up_is_found_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, expected: set[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert codes(files.disk(tmp_path / "not" / "there")) == expected


# --- others -----------------------------------------------------------------------------------


def test_an_address_that_only_neighbours_reach_is_found_unless_a_public_one_is_announced() -> None:
    private = ["/ip4/192.168.1.5/tcp/9735", "/ip4/127.0.0.1/tcp/9735"]
    assert codes(reach.addresses(private, announce=(), is_test=False)) == {"address_private"}
    for public in ("/ip4/8.8.8.8/tcp/9735", "/dns4/swap.example/tcp/9735"):
        assert reach.addresses(private, announce=(public,), is_test=False) == []
    [mild] = reach.addresses(private, announce=(), is_test=True)
    assert mild.severity is Severity.INFO


def test_nobody_connected_is_worse_than_nobody_from_outside() -> None:
    peer = PeerInfo("p", (), inbound=False, connected_since=0, latency_ms=None)
    assert codes(reach.inbound([])) == {"no_peers"}
    assert codes(reach.inbound([peer])) == {"no_inbound"}
    assert reach.inbound([replace(peer, inbound=True)]) == []


def test_a_port_that_another_program_has_is_found() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert codes(reach.ports([f"/ip4/127.0.0.1/tcp/{taken}"])) == {"port_in_use"}
    assert reach.ports([f"/ip4/127.0.0.1/tcp/{taken}", "/ip4/127.0.0.1/tcp/0"]) == []


def test_the_most_urgent_comes_first() -> None:
    found = by_urgency(
        [finding("no_inbound", ""), finding("disk_full", ""), finding("no_peers", "")]
    )
    assert [f.code for f in found] == ["disk_full", "no_peers", "no_inbound"]


def test_every_code_is_in_the_operators_table_with_its_severity() -> None:
    text = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    rows = {
        cells[1].strip().strip("`"): cells[2].strip()
        for line in text.split("## The doctor", 1)[1].split("\n## ", 1)[0].splitlines()
        if (cells := line.split("|")) and len(cells) >= 5 and cells[1].strip().startswith("`")
    }
    assert rows == {code: row.severity.value for code, row in CODES.items()}


def test_every_code_is_given_somewhere() -> None:
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "swapd").rglob("*.py")
        if path.name != "findings.py"
    )
    assert [code for code in CODES if f'"{code}"' not in text] == []
