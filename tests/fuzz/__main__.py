"""`python -m tests.fuzz INPUTS=200000`: the fuzzer's command line.

Owns: its arguments, its workers, what it prints. Must not know: decoders.

    INPUTS=n    inputs in all (200000)          SEED=n   another campaign (1)
    ONLY=word   targets whose name contains it  JOBS=n   processes (1)
    KEEP=1      write what crashed into the corpus
    REPLAY=target INPUT=word   one input again, as a crash names it
"""

import json
import logging
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

import structlog

from tests.fuzz import corpus
from tests.fuzz.run import Crash, Result, blocks_of, replay, run_target
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

_MEMORY = 2**30
"""Bytes of one worker: an input that wants more than all of it is a crash, not a dead machine."""


def _say_nothing(*_: object) -> NoReturn:
    """Logs of what strangers did wrong, by the million, help nobody."""
    raise structlog.DropEvent


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 when nothing crashed."""
    given = dict(word.partition("=")[::2] for word in arguments)
    unknown = given.keys() - {
        "INPUTS", "SEED", "ONLY", "JOBS", "KEEP", "PART", "REPLAY", "INPUT"
    }  # fmt: skip
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}\n{__doc__}", file=sys.stderr)
        return 2
    structlog.configure(processors=[_say_nothing])
    logging.disable(logging.CRITICAL)  # libp2p's
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    if "REPLAY" in given:
        return _replay(given["REPLAY"], given.get("INPUT", "x:"))
    seed, inputs = int(given.get("SEED", "1")), int(given.get("INPUTS", "200000"))
    targets = [target for target in TARGETS if given.get("ONLY", "") in target.name]
    if "PART" in given:
        part, _, parts = given["PART"].partition("/")
        for result in _results(targets, seed, inputs, int(part), int(parts)):
            print(_line(result), flush=True)
        return 0
    jobs = int(given.get("JOBS", "1"))
    return _campaign(targets, seed, inputs, jobs, arguments, keep="KEEP" in given)


def _results(
    targets: Sequence[Target], seed: int, inputs: int, part: int, parts: int
) -> Iterator[Result]:
    """This worker's blocks of each target."""
    total = sum(target.share for target in targets)
    for target in targets:
        blocks = range(part, blocks_of(target, inputs, total), parts)
        yield run_target(target, seed=seed, blocks=blocks)


def _campaign(
    targets: Sequence[Target],
    seed: int,
    inputs: int,
    jobs: int,
    arguments: Sequence[str],
    *,
    keep: bool,
) -> int:
    _head()
    found = []
    if jobs == 1:
        for result in _results(targets, seed, inputs, 0, 1):
            _row(result)
            found.append(result)
    else:
        for result in _workers(jobs, arguments):
            _row(result)
            found.append(result)
    crashes = [crash for result in found for crash in result.crashes]
    for crash in crashes:
        print(f"\n{crash.target}: {crash.what}\n  at {crash.where}\n  {crash.replay}")
        if keep:
            corpus.keep(crash.target, crash.data, crash.what)
    count, passed = sum(r.inputs for r in found), sum(r.passed for r in found)
    print(f"passed their decoder: {passed} of {count}; a process held {_held() >> 20} MB at most")
    print(f"fuzz: {count} inputs, {len(found)} targets, crashes {len(crashes)}")
    return 1 if crashes else 0


def _held() -> int:
    """Bytes of the largest process of this campaign at its largest."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) * 1024


def _workers(jobs: int, arguments: Sequence[str]) -> Iterator[Result]:
    """The same campaign in several processes, each with every so-manieth block."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz", *arguments, f"PART={part}/{jobs}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(jobs)
    ]
    streams = [worker.stdout for worker in running if worker.stdout is not None]
    for lines in zip(*streams, strict=True):
        merged = _read(lines[0])
        for line in lines[1:]:
            merged.add(_read(line))
        yield merged
    for worker in running:
        if worker.wait():
            msg = f"a worker ended with {worker.returncode}"
            raise RuntimeError(msg)


def _line(result: Result) -> str:
    crashes = [(c.target, corpus.written(c.data), c.what, c.where) for c in result.crashes]
    plain = {**vars(result), "crashes": crashes}
    return json.dumps(plain)


def _read(line: str) -> Result:
    plain = json.loads(line)
    crashes = [Crash(t, corpus.read(d), what, where) for t, d, what, where in plain.pop("crashes")]
    return Result(**plain, crashes=crashes)


def _head() -> None:
    names = f"{'target':<26} {'inputs':>9} {'passed':>7} {'per s':>8}"
    print(f"{names} {'slowest':>9} {'memory':>9} {'crashes':>7}", flush=True)


def _row(result: Result) -> None:
    share = 100 * result.passed / max(1, result.inputs)
    speed = result.inputs / max(1e-9, result.seconds)
    print(
        f"{result.target:<26} {result.inputs:>9} {share:>6.1f}% {speed:>8.0f} "
        f"{1000 * result.slowest:>6.1f} ms {result.peak / 2**20:>6.1f} MB "
        f"{len(result.crashes):>7}",
        flush=True,
    )


def _replay(name: str, word: str) -> int:
    target = next((target for target in TARGETS if target.name == name), None)
    if target is None:
        print(f"no target {name}; there are {', '.join(t.name for t in TARGETS)}", file=sys.stderr)
        return 2
    result = replay(target, corpus.read(word))
    for crash in result.crashes:
        print(f"{crash.what}\n  at {crash.where}")
    print(f"fuzz: passed {result.passed}, crashes {len(result.crashes)}")
    return 1 if result.crashes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
