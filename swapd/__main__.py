"""The command `swapd`: refuses a foreign `protocol` package, then hands over to the commands.

Owns: that order. Nothing of either package may be imported before the check.
"""

import sys

from swapd import exitcodes
from swapd.packaging import WrongProtocolPackageError, check_protocol_package


def main() -> None:
    """Runs the command line; never returns."""
    try:
        check_protocol_package()
    except WrongProtocolPackageError as error:
        sys.stderr.write(f"swapd: {error}\n")
        sys.exit(exitcodes.CRASH)
    from swapd.commands import cli  # noqa: PLC0415 - not before the check above

    cli(prog_name="swapd")


if __name__ == "__main__":
    main()
