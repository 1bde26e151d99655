"""Owns one question: is the `protocol` package that Python finds the one we were built with?

The name is common. Code of another origin under it would decide about money, so this is checked
before anything else is imported. Knows nothing of what is inside either package.
"""

from importlib import import_module
from pathlib import Path

import swapd


class WrongProtocolPackageError(Exception):
    """Another package answers to the name `protocol`, or ours is of another build."""


def check_protocol_package() -> None:
    """Refuse to go on unless `protocol` lies beside `swapd` and carries the same BUILD.

    Raises:
        WrongProtocolPackageError: says which package was found, and what to do.
    """
    found = import_module("protocol")
    wanted = Path(swapd.__file__).resolve().parent.with_name("protocol")
    origin = getattr(found, "__file__", None)
    place = Path(origin).resolve().parent if isinstance(origin, str) else None
    if place != wanted:
        raise WrongProtocolPackageError(
            f"the Python package 'protocol' was found at {place}, but swapd's own is {wanted}; "
            "install swapd into a virtual environment of its own and clear PYTHONPATH"
        )
    build = getattr(found, "BUILD", None)
    if build != swapd.BUILD:
        raise WrongProtocolPackageError(
            f"swapd is build {swapd.BUILD} but 'protocol' beside it is build {build}; "
            "the installation is a mixture of two versions: install swapd again"
        )
