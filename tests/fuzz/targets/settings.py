"""Targets: the configuration, from a file, the environment and flags.

Owns: samples (the example files among them) and calls. Must not know: how inputs are made.
"""

import os
from contextlib import ExitStack
from pathlib import Path

import swapd
from swapd.config import ConfigError, describe, load
from tests.fuzz.shapes import Form
from tests.fuzz.target import Opened, Target, bounded, folder

_EXAMPLES = Path(swapd.__file__).parent.parent / "config"
_HOME = {"HOME": "/home/someone"}

_FULL = """network = "regtest"
data_dir = "/tmp/x"
[chains.btc]
rpc_url = "http://127.0.0.1:18443"
wallet = "w"
user = "u"
password_file = "p"
timeout_seconds = 5
mempool_poll_ms = 100
[chains.ltc]
[p2p]
listen = ["/ip4/0.0.0.0/tcp/7927"]
announce = ["/dns4/example.org/tcp/7"]
bootstrap = ["/ip4/192.0.2.1/tcp/5/p2p/16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ"]
max_peers = 10
allow_private = true
[market]
pairs = ["BTC/LTC"]
[policy]
profile = "regtest"
offline_seconds = 30
risk = 6
max_open_swaps = 5
depth_factor = 2
[policy.limits.btc]
minimum = "0.01"
maximum = "5 BTC"
max_locked = "500000000 units"
depth = 3
[control]
clients = 5
[log]
level = "info"
[regtest]
clock_file = "clock"
"""


def _bare(text: str) -> str:
    """Without comments."""
    kept = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(kept) + "\n"


def _file(stack: ExitStack) -> Opened:
    """A whole file. What is taken is described as TOML that reads back."""
    place = folder(stack)
    path = place / "swapd.toml"

    def call(data: bytes) -> None:
        path.write_bytes(data)
        try:
            found = load(environ=_HOME, cwd=place, file=path)
        except ConfigError as error:
            bounded(str(error), 1_000_000)
            raise
        again = place / "again.toml"
        again.write_text(describe(found), encoding="utf-8", errors="surrogatepass")
        assert load(environ=_HOME, cwd=place, file=again).config == found.config

    examples = [_bare(path.read_text()) for path in sorted(_EXAMPLES.glob("*.example.toml"))]
    texts = [_FULL, 'network = "signet"\n', *examples]
    return Opened([text.encode() for text in texts if "network" in text], call)


def _environment(_: ExitStack) -> Opened:
    """A variable a line, as the shell has them: any bytes but NUL."""

    def call(data: bytes) -> None:
        pairs = (line.partition(b"=") for line in data.replace(b"\x00", b"").split(b"\n"))
        environ = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if name}
        load(environ={**environ, **_HOME, "SWAPD_CONFIG": ""}, cwd=Path("/cwd"))

    text = b"SWAPD_NETWORK=regtest\nSWAPD_DATA_DIR=/tmp/x\nSWAPD_CHAINS__BTC__WALLET=w\n"
    more = b"SWAPD_POLICY__PROFILE=home\nSWAPD_P2P__LISTEN=/ip4/0.0.0.0/tcp/1,/ip6/::/tcp/2\n"
    return Opened([text, text + more], call)


def _flags(_: ExitStack) -> Opened:
    """A dotted key and its value a line, as the command line has them."""

    def call(data: bytes) -> None:
        pairs = (line.partition(b"=") for line in data.replace(b"\x00", b"").split(b"\n"))
        flags = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if name}
        load(environ=_HOME, cwd=Path("/cwd"), flags=flags)

    text = b"network=regtest\nchains.btc.rpc_url=http://127.0.0.1:1\ncontrol.socket=/tmp/s\n"
    more = b"policy.limits.btc.maximum=0.5\np2p.max_peers=5\np2p.allow_private=true\n"
    return Opened([text, text + more], call)


TARGETS = (
    Target("config.file", Form.TOML, _file, (ConfigError,), 0.05, block=100),
    Target("config.environment", Form.TOML, _environment, (ConfigError,), 0.05, block=100),
    Target("config.flags", Form.TOML, _flags, (ConfigError,), 0.05, block=100),
)
