"""`./dev gas` and `./dev contract`: the table of gas, the campaign, mutants, the artifacts."""

import sys

from tests.evm_contract import build, checks, forge, gas, page
from tests.evm_contract.mutants.__main__ import main as mutants

DEPTH = 500
USAGE = """\
usage: ./dev gas [checks | write] | ./dev contract build | ./dev contract fuzz [CALLS=1000000]
     | ./dev contract mutants [NAME]"""


def main(arguments: list[str]) -> int:
    """Do what the first argument names."""
    match arguments:
        case ["build"]:
            build.write()
            return 0
        case ["gas"]:
            sys.stdout.write(gas.table(gas.measure()) + "\n")
            return 0
        case ["gas", "checks"]:
            sys.stdout.write(checks.table() + "\n")
            return 0
        case ["gas", "write"]:
            page.write(gas.table(gas.measure()), checks.table())
            return 0
        case ["mutants", *names]:
            return mutants(names)
        case ["fuzz"]:
            return _fuzz(1_000_000)
        case ["fuzz", calls] if calls.removeprefix("CALLS=").isdecimal():
            return _fuzz(int(calls.removeprefix("CALLS=")))
        case _:
            sys.stderr.write(USAGE + "\n")
            return 2


def _fuzz(calls: int) -> int:
    runs = max(1, -(-calls // DEPTH))
    sys.stderr.write(f"{runs} campaigns of {DEPTH} calls, and each unit test\n")
    with forge.project(fuzz=max(256, calls // 100), runs=runs, depth=DEPTH) as folder:
        done = forge.play(folder, forge.shipped())
    sys.stdout.write(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
