"""`./dev gas` and `./dev contract`: the table of gas, the long forge campaign, the artifacts."""

import sys

from tests.evm_contract import build, gas


def main(arguments: list[str]) -> int:
    """Do what the first argument names."""
    match arguments:
        case ["build"]:
            build.write()
            return 0
        case ["gas"]:
            return gas.main()
        case _:
            print("usage: python -m tests.evm_contract build | gas", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
