"""Owns network namespaces: one for each daemon, joined by a switch whose ports can be pulled.

Every daemon reaches its own nodes by a cable of its own, which is never pulled. Needs root, and
`ip` of iproute2; both are asked for by name, and nothing is skipped. Knows nothing of swaps.
"""

import contextlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

P2P_PORT: Final = 4001
"""Where a daemon listens in its namespace."""


class NamespacesImpossibleError(Exception):
    """This user or kernel has no network namespaces; the message says what to do."""


def require() -> str:
    """Where `ip` is. Raises NamespacesImpossibleError."""
    found = shutil.which("ip", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise NamespacesImpossibleError("`ip` is missing: install iproute2")
    if os.geteuid() != 0:
        raise NamespacesImpossibleError(
            "network namespaces need root: run as root, or leave them out with "
            "'./dev faults --without namespaces'"
        )
    return found


def _ip(*words: str) -> None:
    done = subprocess.run([require(), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        command = " ".join(words)
        raise NamespacesImpossibleError(f"ip {command}: {done.stderr.strip()}")


@dataclass(frozen=True)
class Place:
    """Where one daemon lives: its namespace, its address on the switch (`p2p`), and the address at
    which it finds its nodes (`host`)."""

    namespace: str
    p2p: str
    host: str
    port: str  # of the switch

    @property
    def prefix(self) -> tuple[str, ...]:
        """What runs a command there; `ip` becomes that command, so that the process id stays."""
        return (require(), "netns", "exec", self.namespace)

    @property
    def listen(self) -> str:
        """The multiaddress of the daemon."""
        return f"/ip4/{self.p2p}/tcp/{P2P_PORT}"


class Switch:
    """Places by name, all on one switch. Names are of this process, so that worlds do not meet,
    and of this switch: the kernel takes its time to remove the cables of the one before."""

    _count = itertools.count()

    def __init__(self, names: Sequence[str]) -> None:
        tag = f"{os.getpid() % 100_000}{chr(ord('a') + next(self._count) % 26)}"
        # The third byte of the host cables' network: other worlds on this machine have their own.
        self._net = os.getpid() % 250 + 1
        self._hub = f"swapd-{tag}-hub"
        self.places = {
            name: Place(
                namespace=f"swapd-{tag}-{name}",
                p2p=f"10.77.0.{index + 1}",
                host=f"10.78.{self._net}.{4 * index + 1}",
                port=f"port{index}",
            )
            for index, name in enumerate(names)
        }
        self._tag = tag

    def build(self) -> None:
        """Raises NamespacesImpossibleError; what was built by then is for `remove`."""
        _ip("netns", "add", self._hub)
        _ip("-n", self._hub, "link", "add", "switch", "type", "bridge")
        _ip("-n", self._hub, "link", "set", "switch", "up")
        for index, place in enumerate(self.places.values()):
            self._cable(index, place)

    def _cable(self, index: int, place: Place) -> None:
        space, outside = place.namespace, f"sw{self._tag}h{index}"
        inside_ip = place.host.rpartition(".")[0] + f".{4 * index + 2}"
        _ip("netns", "add", space)
        _ip("-n", space, "link", "set", "lo", "up")
        _ip(
            "-n",
            self._hub,
            "link",
            "add",
            place.port,
            "type",
            "veth",
            "peer",
            "p2p",
            "netns",
            space,
        )
        _ip("-n", self._hub, "link", "set", place.port, "master", "switch", "up")
        _ip("-n", space, "addr", "add", f"{place.p2p}/24", "dev", "p2p")
        _ip("-n", space, "link", "set", "p2p", "up")
        _ip("link", "add", outside, "type", "veth", "peer", "nodes", "netns", space)
        _ip("addr", "add", f"{place.host}/30", "dev", outside)
        _ip("link", "set", outside, "up")
        _ip("-n", space, "addr", "add", f"{inside_ip}/30", "dev", "nodes")
        _ip("-n", space, "link", "set", "nodes", "up")

    def pull(self, *names: str) -> None:
        """Takes these daemons off the switch: packets vanish, nobody is told."""
        for name in names:
            _ip("-n", self._hub, "link", "set", self.places[name].port, "down")

    def plug(self, *names: str) -> None:
        """Undoes `pull`."""
        for name in names:
            _ip("-n", self._hub, "link", "set", self.places[name].port, "up")

    def remove(self) -> None:
        """Every namespace and cable, as far as it is there."""
        for space in (self._hub, *(place.namespace for place in self.places.values())):
            with contextlib.suppress(NamespacesImpossibleError):
                _ip("netns", "del", space)
