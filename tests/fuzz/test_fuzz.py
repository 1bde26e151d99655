"""The fuzzer itself: a short run of every target, and that it would notice what it looks for."""

import ast
import contextlib
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import swapd
from tests.fuzz import corpus
from tests.fuzz.coverage import CALLS, DECODERS, OURS
from tests.fuzz.generate import Maker
from tests.fuzz.run import Result, replay, run_target
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target
from tests.fuzz.targets import TARGETS

ROOT = Path(swapd.__file__).parent.parent


def fuzz(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A run of the command."""
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(600)
def test_no_hostile_input_of_a_short_run_breaks_a_decoder() -> None:
    done = fuzz("INPUTS=16000")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    found = re.fullmatch(r"fuzz: (\d+) inputs, (\d+) targets, crashes 0", last)
    assert found, last
    assert int(found[1]) >= 15_000
    assert int(found[2]) == len(TARGETS)


# --- The table against the code ---------------------------------------------------------------


def decodes(path: Path) -> bool:
    """Whether a module calls something that turns bytes or text into values."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not (node.args or node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        is_codec = bool(node.args) and isinstance(node.args[0], ast.Constant)  # .decode("ascii")
        if name in CALLS and not (name == "decode" and is_codec):
            return True
    return False


def test_every_module_that_decodes_has_its_targets() -> None:
    sources = [path for top in ("protocol", "swapd") for path in (ROOT / top).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in sources if decodes(path)}
    assert found - OURS - DECODERS.keys() == set(), "add a target, and name it in coverage.py"
    names = {target.name for target in TARGETS}
    assert {name for targets in DECODERS.values() for name in targets} <= names
    assert len(names) == len(TARGETS)
    assert all((ROOT / path).exists() for path in DECODERS)


# --- What the inputs are ----------------------------------------------------------------------


def digest_of(seed: int) -> str:
    """Of the first inputs of one target of each format."""
    digest = hashlib.sha256()
    for form in Form:
        target = next(target for target in TARGETS if target.form is form)
        with contextlib.ExitStack() as stack:
            for data in Maker(target, target.open(stack).samples).block(seed, 3):
                digest.update(data + b"|")
    return digest.hexdigest()


def test_a_seed_gives_the_same_inputs_whatever_the_hash_seed() -> None:
    """Another process, with another seed of Python's hashes than this one has."""
    found = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import digest_of; print(digest_of(5))"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == digest_of(5) + "\n"
    assert digest_of(5) != digest_of(6)


def test_half_of_the_inputs_are_near_good_ones_and_some_of_both_halves_pass() -> None:
    target = next(target for target in TARGETS if target.name == "wire.offer")
    passed = [0, 0]
    with contextlib.ExitStack() as stack:
        opened = target.open(stack)
        assert opened.call is not None
        for number in range(3):
            for index, data in enumerate(Maker(target, opened.samples).block(1, number)):
                with contextlib.suppress(*target.allowed):
                    opened.call(data)
                    passed[index % 2] += 1
    assert all(count > 10 for count in passed), passed


# --- What it notices --------------------------------------------------------------------------


def toy(call: object, **more: object) -> Target:
    """A target that decodes lines of digits."""
    opened = Opened([b"12345"], call)  # type: ignore[arg-type]  # any function of bytes
    return Target("toy", Form.BYTES, lambda _: opened, (ValueError,), **more)  # type: ignore[arg-type] # as above


def run(target: Target, blocks: int = 2) -> Result:
    return run_target(target, seed=1, blocks=range(blocks))


def test_refusals_are_counted_and_are_no_crashes() -> None:
    result = run(toy(lambda data: int(data.decode("ascii"))))
    assert result.inputs == 1000
    assert 0 < result.passed < 1000
    assert result.crashes == []


def test_an_input_refused_without_an_exception_has_not_passed() -> None:
    refused = run(toy(lambda data: REFUSED if data != b"12345" else None))
    assert refused.passed < 100


def test_another_exception_is_a_crash_that_can_be_replayed_and_kept(tmp_path: Path) -> None:
    def call(data: bytes) -> None:
        if b"\xff" in data:
            raise KeyError("a bug")

    [crash] = run(toy(call)).crashes
    assert b"\xff" in crash.data
    assert "KeyError" in crash.what
    assert replay(toy(call), crash.data).crashes[0].what == crash.what
    corpus.keep("toy", crash.data, crash.what, tmp_path)
    corpus.keep("toy", crash.data, crash.what, tmp_path)
    assert corpus.load("toy", tmp_path) == [crash.data]
    word = crash.replay.rpartition("INPUT=")[2]
    assert corpus.read(word) == crash.data


def test_an_input_that_never_ends_is_a_crash() -> None:
    hung: list[bytes] = []

    def call(data: bytes) -> None:
        if b"\xff" in data and not hung:
            hung.append(data)
            while hung:
                with contextlib.suppress(Exception):  # no decoder can hide it
                    raise ValueError("again")

    result = run(toy(call, patience=0.2), blocks=1)
    assert [crash.what.partition(":")[0] for crash in result.crashes] == ["Hang"]
    assert [crash.data for crash in result.crashes] == hung
    assert result.inputs == 500, "the others were run all the same"


def test_an_input_that_takes_much_memory_is_a_crash() -> None:
    result = run(toy(lambda data: bytes(len(data) * 10**6), memory=10**6), blocks=1)
    assert result.crashes
    assert result.peak > 10**6


def test_a_target_that_refuses_its_own_samples_is_an_error() -> None:
    with pytest.raises(AssertionError, match="refuses its sample"):
        run(toy(lambda _: REFUSED))


def test_the_command_replays_one_input_and_says_what_it_did() -> None:
    kept = corpus.load("config.file")[0]
    done = fuzz("REPLAY=config.file", f"INPUT={corpus.written(kept)}")
    assert (done.returncode, done.stdout) == (0, "fuzz: passed 0, crashes 0\n")


def test_the_blocks_of_two_workers_are_those_of_one() -> None:
    target = next(target for target in TARGETS if target.name == "read.floor")
    whole = run_target(target, seed=1, blocks=range(4), measured=False)
    parts = [run_target(target, seed=1, blocks=range(n, 4, 2), measured=False) for n in (0, 1)]
    assert sum(part.inputs for part in parts) == whole.inputs
    assert sum(part.passed for part in parts) == whole.passed
