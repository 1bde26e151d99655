"""The documented examples: complete, true, and usable as they are."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from swapd import exitcodes
from swapd.config import load
from swapd.config.keys import all_keys, dotted, general

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLE = (CONFIG / "swapd.example.toml").read_text(encoding="utf-8")
DEFAULT = re.compile(r"^# (?=[a-z_]+ = )")
SUGGESTED = re.compile(r"^# Example: (?=[a-z_]+ = )")


def uncommented(pattern: re.Pattern[str]) -> str:
    """The example with the marked lines made live."""
    return "\n".join(pattern.sub("", line) for line in EXAMPLE.splitlines())


def values(tree: dict[str, Any], at: tuple[str, ...] = ()) -> dict[str, Any]:
    """The leaves of a TOML document by dotted key."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        here = (*at, name)
        found |= values(value, here) if isinstance(value, dict) else {dotted(here): value}
    return found


def defaults_of(tmp_path: Path, text: str) -> dict[str, Any]:
    """The effective values of a configuration."""
    file = tmp_path / "swapd.toml"
    file.write_text(text, encoding="utf-8")
    loaded = load(file=file, environ={"HOME": "/home/someone"}, cwd=tmp_path)
    return {setting.key: setting.value for setting in loaded.settings}


def test_every_key_is_in_the_example() -> None:
    documented = values(tomllib.loads(uncommented(DEFAULT)))
    documented |= values(tomllib.loads(uncommented(SUGGESTED)))
    own = {"chains.ltc.user", "chains.ltc.password_file"}  # "the same keys" as bitcoin's
    names = {dotted(general(tuple(key.split(".")))) for key in documented}
    assert {dotted(key) for key in all_keys()} - own == names


def test_the_defaults_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    documented = values(tomllib.loads(uncommented(DEFAULT)))
    effective = defaults_of(tmp_path, EXAMPLE)
    home = "/home/someone"
    plain = {
        key: list(value) if isinstance(value, tuple) else value for key, value in effective.items()
    }
    assert plain.pop("data_dir") == documented.pop("data_dir").replace("~", home)
    assert plain == documented


def test_the_suggestions_in_the_example_work(tmp_path: Path) -> None:
    text = uncommented(SUGGESTED)
    text = text.replace("16Uiu2HAm...", "16Uiu2HAmNgEBqQCvXMtPPHPaJUCoZPmqKdcSLcoAKQGi")
    text = text.replace('network = "mainnet"', 'network = "regtest"')  # for its clock_file
    text = text.replace("chain_id = 1", "chain_id = 31337")
    assert len(defaults_of(tmp_path, text)) > 40


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIG.glob("*.toml")))
def test_each_example_loads_as_it_is_without_a_warning(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes((CONFIG / name).read_bytes())
    loaded = load(file=file, environ={"HOME": "/home/someone"}, cwd=tmp_path)
    assert len(loaded.config.chains) == 2
    assert loaded.warnings == ()


def test_the_exit_codes_are_documented_and_never_change() -> None:
    codes = {name: value for name, value in vars(exitcodes).items() if name.isupper()}
    assert codes == {
        "OK": 0,
        "CRASH": 1,
        "CONFIG": 10,
        "ALREADY_LOCKED": 11,
        "KEYS": 20,
        "DATABASE": 30,
        "CHAIN": 40,
    }
    paragraph = " ".join(EXAMPLE.split("Exit codes of swapd")[1].split("\n\n")[0].split())
    assert all(f" {code} " in paragraph for code in codes.values())
