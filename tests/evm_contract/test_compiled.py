"""What the project ships is what its sources compile to, and it stands forge's attacks."""

import pytest

from tests.evm_contract import build, forge
from tests.evm_contract.compiler import compiler_version, settings


@pytest.mark.slow  # solc is JavaScript here: it takes its time
def test_the_compiler_is_the_one_that_the_settings_name() -> None:
    assert compiler_version() == settings()["compiler"]


@pytest.mark.slow  # compiles
def test_compiling_again_gives_the_same_code_and_abi_byte_for_byte() -> None:
    made = build.artifacts()
    assert {path: path.read_text() for path in made} == made


def test_units_fuzz_and_a_short_campaign_pass_on_the_shipped_code() -> None:
    with forge.project(fuzz=64, runs=1, depth=500) as folder:
        done = forge.play(folder, forge.shipped(), "--fuzz-seed", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "18 passed" in done.stdout
    assert "21 passed" in done.stdout
    assert "calls: 500, reverts: 0" in done.stdout
