"""The name `protocol` is common: ours must be the one that is built, installed and imported."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import protocol
import swapd
from swapd.packaging import WrongProtocolPackageError, check_protocol_package

ROOT = Path(__file__).resolve().parents[2]


def test_no_other_distribution_brings_a_package_called_protocol_or_swapd() -> None:
    # an editable install lists no packages at all, so absence is fine; a stranger is not
    owners = packages_distributions()
    assert set(owners.get("protocol", ["swapd"])) == {"swapd"}
    assert set(owners.get("swapd", ["swapd"])) == {"swapd"}


def test_both_packages_and_the_project_carry_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == swapd.BUILD == protocol.BUILD


def test_our_own_protocol_package_is_accepted() -> None:
    check_protocol_package()


def test_a_protocol_package_of_another_build_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BUILD", "0.0.9")
    with pytest.raises(WrongProtocolPackageError, match=r"0\.0\.9.*install swapd again"):
        check_protocol_package()


def test_a_stranger_called_protocol_is_refused_even_with_our_build(tmp_path: Path) -> None:
    stranger = tmp_path / "protocol"
    stranger.mkdir()
    (stranger / "__init__.py").write_text(f"BUILD = {swapd.BUILD!r}\n")
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; sys.path.append({str(ROOT)!r})\n"
        "from swapd.packaging import check_protocol_package as check\n"
        "check()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "WrongProtocolPackageError" in done.stderr
    assert str(stranger) in done.stderr


def test_the_wheel_holds_both_packages_the_spec_and_nothing_else(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"swapd", "protocol", f"swapd-{swapd.BUILD}.dist-info"}
    assert "protocol/SPEC.md" in names
    assert any(name.startswith("protocol/vectors/") for name in names)
    assert f"swapd-{swapd.BUILD}.dist-info/licenses/LICENSE" in names
