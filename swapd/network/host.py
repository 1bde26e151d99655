"""One libp2p host, put together the way we want it: noise only, yamux only, TCP only, our limits.

Owns: how the host is made, whom it admits, the check that its port is free, the validator's
loading. Must not know: gossip, channels, the daemon.
"""

import importlib
import socket
from collections.abc import Callable
from typing import Final

from libp2p import create_yamux_muxer_option, new_host
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.host.basic_host import BasicHost
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.swarm import Swarm
from libp2p.rcmgr.connection_limits import ConnectionLimits
from libp2p.rcmgr.manager import ResourceLimits, ResourceManager
from libp2p.rcmgr.memory_limits import new_memory_connection_limits
from libp2p.security.noise.exceptions import NoiseFailure
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_PROTOCOL_ID
from libp2p.security.noise.transport import Transport as NoiseTransport

from swapd.network.addresses import BadAddress, Multiaddr, parse_address
from swapd.network.limits import NetworkLimits

_MAX_CONNECTIONS_PER_PEER: Final = 4

Validator = Callable[[str, bytes, int], bool]


class StartFailure(Exception):
    """The node cannot start. `kind`: "listen" or "config"."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class AdmittingNoise(NoiseTransport):
    """Noise that turns refused peers away as soon as they have proved who they are."""

    def __init__(self, key_pair: KeyPair, refused: Callable[[str], bool]) -> None:
        super().__init__(key_pair, noise_privkey=create_noise_key_pair().private_key)
        self._refused = refused

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        """Raises NoiseFailure for a refused peer."""
        secured = await super().secure_inbound(conn)
        if self._refused(str(secured.get_remote_peer())):
            await secured.close()
            raise NoiseFailure("this peer is refused for a while")
        return secured


def build_host(
    key_pair: KeyPair,
    listen: tuple[Multiaddr, ...],
    announce: tuple[Multiaddr, ...],
    limits: NetworkLimits,
    refused: Callable[[str], bool],
) -> BasicHost:
    """A host that speaks noise only: the default one also takes a peer's word for its key (B3)."""
    resources = ResourceManager(
        limits=ResourceLimits(
            max_connections=2 * limits.max_connections, max_streams=1_000_000
        ),  # streams are bounded for each connection; a shared count is one peer's lever
        connection_limits=ConnectionLimits(max_established_per_peer=_MAX_CONNECTIONS_PER_PEER),
        memory_limits=new_memory_connection_limits(),
        enable_metrics=False,
        enable_circuit_breaker=False,  # it turns everybody away after five failures of one
        enable_graceful_degradation=False,
        enable_rate_limiting=False,
    )
    host = new_host(
        key_pair=key_pair,
        sec_opt={NOISE_PROTOCOL_ID: AdmittingNoise(key_pair, refused)},
        muxer_opt=create_yamux_muxer_option(),
        listen_addrs=listen,
        announce_addrs=announce or None,
        connection_config=ConnectionConfig(
            max_connections=limits.max_connections,
            min_connections=0,
            low_watermark=0,  # below it libp2p dials whomever it has heard of
            high_watermark=limits.max_connections,
            max_connections_per_peer=_MAX_CONNECTIONS_PER_PEER,
        ),
        resource_manager=resources,
        disable_identify_address_discovery=True,
    )
    if not isinstance(host, BasicHost):
        raise StartFailure("config", "libp2p made a host of an unknown kind")
    swarm_of(host).retry_config = RetryConfig(max_retries=0)
    return host


def swarm_of(host: BasicHost) -> Swarm:
    """The host's network, typed as what it is."""
    network = host.get_network()
    if not isinstance(network, Swarm):
        raise StartFailure("config", "libp2p made a network of an unknown kind")
    return network


def probe_port(address: Multiaddr) -> None:
    """Raises StartFailure when the address cannot be listened on, with the port and the reason."""
    _, family, ip, _, port = str(address).split("/")
    kind = socket.AF_INET6 if family == "ip6" else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, int(port)))
            probe.listen(1)
        except (OSError, OverflowError) as error:
            raise StartFailure(
                "listen",
                f"cannot listen on {ip} port {port}: {error}. Is another swapd running? "
                "Stop it, or set another listening address",
            ) from error


def load_validator(name: str) -> Validator:
    """The function `module:name`. Raises StartFailure."""
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise StartFailure(
            "config", f"the gossip validator {name!r} is not there: {error}"
        ) from error
    if not callable(function):
        raise StartFailure("config", f"the gossip validator {name!r} is no function")
    checked: Validator = function
    return checked


def own_address(text: str) -> Multiaddr:
    """An address of our own configuration. Raises StartFailure."""
    try:
        return parse_address(text, names=False)
    except BadAddress as error:
        raise StartFailure("config", str(error)) from error
