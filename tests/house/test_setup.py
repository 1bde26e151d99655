"""The set-up: pinned requirements that name no address, and a ./dev that fails loudly and early."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
NODE = ".dev/requirements-node.txt"
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-build.txt", NODE)
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)[^\\]*\\$")


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Package -> (version, number of hashes), from a requirements file in which all is pinned."""
    found: dict[str, tuple[str, int]] = {}
    package = ""
    for line in (ROOT / name).read_text().splitlines():
        if match := PIN.match(line):
            package = canonicalize_name(match["name"])
            found[package] = (match["version"], 0)
        elif re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?", line):
            version, hashes = found[package]
            found[package] = (version, hashes + 1)
        else:
            assert line.lstrip().startswith("#"), f"{name}: not a pin, a hash or a comment: {line}"
    return found


def dev(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(ROOT / "dev"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )


def nodes_sh(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    prelude = f'set -eu; say() {{ echo "dev: $*" >&2; }}; . {ROOT}/.dev/nodes.sh\n'
    return subprocess.run(
        ["/bin/sh", "-c", prelude + script],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_with_hashes_and_no_address(name: str) -> None:
    found = pins(name)
    assert found
    assert [package for package, (_, hashes) in found.items() if hashes == 0] == []


def test_one_version_of_each_package_in_all_files() -> None:
    versions: dict[str, set[str]] = {}
    for name in FILES:
        for package, (version, _) in pins(name).items():
            versions.setdefault(package, set()).add(version)
    assert {package: seen for package, seen in versions.items() if len(seen) > 1} == {}


def test_what_the_project_asks_for_is_what_is_pinned() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = config["dependency-groups"]
    wanted = {
        "requirements.txt": config["project"]["dependencies"],
        "requirements-dev.txt": groups["dev"],
        "requirements-build.txt": groups["build"] + config["build-system"]["requires"],
        NODE: groups["node"],
    }
    for name, texts in wanted.items():
        found = pins(name)
        for requirement in map(Requirement, texts):
            version, _ = found[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{name}: {requirement} but {version}"


@pytest.mark.parametrize("script", ["dev", ".dev/nodes.sh", ".dev/evm.sh", ".dev/system.sh"])
def test_the_scripts_are_posix_shell(script: str) -> None:
    shell = next((sh for sh in ("/bin/dash", "/bin/sh") if Path(sh).exists()), "/bin/sh")
    done = subprocess.run([shell, "-n", ROOT / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_needs_no_setup_not_even_a_home() -> None:
    done = dev("help")
    assert done.returncode == 0
    for command in ("demo", "test", "test-all", "lint", "bench", "setup", "lock"):
        assert re.search(rf"^  {command}\b", done.stdout, re.MULTILINE)


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    done = dev("tset", XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "unknown command: tset" in done.stderr


def test_a_node_named_by_the_environment_must_exist(tmp_path: Path) -> None:
    done = nodes_sh("nodes_own bitcoind /nowhere/bitcoind")
    assert done.returncode == 1
    assert "/nowhere/bitcoind" in done.stderr
    assert "SWAPD_BITCOIND=" in done.stderr


def test_where_there_is_no_debian_a_missing_node_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cat").symlink_to("/bin/cat")  # and nothing else: no apt-get
    done = nodes_sh(f"nodes_fetch {tmp_path}/nodes", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "put bitcoind (25 or later) and litecoind" in done.stderr


def test_a_node_of_ones_own_is_preferred_to_a_fetched_one(tmp_path: Path) -> None:
    own = tmp_path / "bitcoind"
    own.write_text("#!/bin/sh\nexit 0\n")
    own.chmod(0o755)
    assert nodes_sh(f"nodes_own bitcoind {own}").stdout.strip() == str(own)
    done = nodes_sh("nodes_own bitcoind ''", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.stdout.strip() == str(own)
