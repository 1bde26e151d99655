"""The systemd units: each directive that a promise of ours hangs on, and systemd's own opinion."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner

import swapd
from swapd import exitcodes
from swapd.commands import cli
from swapd.keys.passphrase import CREDENTIAL

CONFIG = Path(swapd.__file__).parent.parent / "config"
DAEMON, TOWER = "swapd.service", "swapd-tower.service"
both = pytest.mark.parametrize("name", [DAEMON, TOWER])
PROGRAM = "/opt/swapd/bin/swapd"


def read(name: str = DAEMON) -> dict[tuple[str, str], list[str]]:
    """Values by section and name. Raises AssertionError for a line that is neither."""
    found, section = defaultdict(list), ""
    for line in (CONFIG / name).read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if heading := re.fullmatch(r"\[([A-Z][a-z]+)\]", line):
            section = heading[1]
            continue
        entry = re.fullmatch(r"([A-Z][A-Za-z]+)=(.*)", line)
        assert entry is not None, line
        found[section, entry[1]].append(entry[2])
    return found


HARDENING = {
    "ProtectSystem": "strict",
    "ProtectHome": "true",
    "PrivateTmp": "true",
    "PrivateDevices": "true",
    "NoNewPrivileges": "true",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectKernelTunables": "true",
    "ProtectKernelModules": "true",
    "ProtectKernelLogs": "true",
    "ProtectControlGroups": "true",
    "ProtectClock": "true",
    "ProtectProc": "invisible",
    "RestrictNamespaces": "true",
    "RestrictRealtime": "true",
    "RestrictSUIDSGID": "true",
    "LockPersonality": "true",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "LimitCORE": "0",
}


@both
@pytest.mark.parametrize("directive", HARDENING)
def test_it_may_do_no_more_than_it_needs(directive: str, name: str) -> None:
    assert read(name)["Service", directive] == [HARDENING[directive]]


@both
def test_it_reaches_nodes_peers_and_its_socket_and_calls_what_services_call(name: str) -> None:
    unit = read(name)
    families = unit["Service", "RestrictAddressFamilies"][0].split()
    assert set(families) == {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}
    assert unit["Service", "SystemCallFilter"] == ["@system-service", "~@privileged"]


@both
def test_readiness_is_told_by_the_daemon_and_a_hung_one_is_started_again(name: str) -> None:
    unit = read(name)
    assert unit["Service", "Type"] == ["notify"]
    assert int(unit["Service", "WatchdogSec"][0]) >= 30
    assert unit["Service", "Restart"] == ["on-failure"]


@both
def test_what_only_the_operator_can_mend_is_not_started_again(name: str) -> None:
    codes = {int(code) for code in read(name)["Service", "RestartPreventExitStatus"][0].split()}
    hopeless = {exitcodes.CONFIG, exitcodes.KEYS, exitcodes.DATABASE, exitcodes.CHAIN}
    assert codes == hopeless | {2}
    assert exitcodes.CRASH not in codes


def test_the_passphrase_is_a_credential_and_without_one_it_watches() -> None:
    unit = read()
    (credential,) = unit["Service", "LoadCredential"]
    assert credential.partition(":")[0] == CREDENTIAL
    (start,) = unit["Service", "ExecStart"]
    assert "--locked" in start.split()


def test_a_tower_has_no_secret_of_the_operator() -> None:
    assert ("Service", "LoadCredential") not in read(TOWER)


@both
def test_its_command_line_is_one_that_swapd_understands(name: str, tmp_path: Path) -> None:
    program, *arguments = read(name)["Service", "ExecStart"][0].split()
    assert program == PROGRAM
    arguments[-1] = str(tmp_path / "none.toml")
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == exitcodes.CONFIG
    assert "none.toml" in done.output


@both
def test_it_keeps_its_data_where_it_may_write(name: str) -> None:
    unit = read(name)
    (state,) = unit["Service", "StateDirectory"]
    assert f"SWAPD_DATA_DIR=/var/lib/{state}" in unit["Service", "Environment"][0].split()
    assert unit["Service", "StateDirectoryMode"] == ["0700"]


@both
def test_systemd_finds_nothing_wrong_where_it_is_installed(name: str, tmp_path: Path) -> None:
    """A machine without it still checks every directive above."""
    tool = shutil.which("systemd-analyze")
    assert tool is None or verified(tool, name, tmp_path) == (0, "")


def verified(tool: str, name: str, folder: Path) -> tuple[int, str]:
    """What systemd says of the unit, with a program that exists."""
    copy = folder / name
    copy.write_text((CONFIG / name).read_text(encoding="utf-8").replace(PROGRAM, "/bin/true"))
    done = subprocess.run(
        [tool, "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60
    )
    about = [line for line in done.stderr.splitlines() if name in line]
    return done.returncode, "\n".join(about)
