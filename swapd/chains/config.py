"""How one node is reached. Owns: `NodeConfig`. Must not know: where the values came from."""

from pathlib import Path

from msgspec import Struct


class NodeConfig(Struct, frozen=True, kw_only=True):
    """One node and its wallet.

    url: of the RPC port, such as http://127.0.0.1:8332, without a path.
    wallet: name of the wallet that funds locks; "" is the node's unnamed default wallet, None says
        that none is used: such a node only watches and broadcasts (a watchtower's).
    cookie_file: the node's .cookie, read anew when refused; or else `user` and `password`.
    Times in seconds: `timeout` for one ordinary call, `block_wait` for one long poll for a block,
    `mempool_poll` between two looks at the mempool while something is watched.
    """

    url: str
    wallet: str | None
    cookie_file: Path | None = None
    user: str = ""
    password: str = ""
    timeout: float = 30.0
    block_wait: float = 8.0
    mempool_poll: float = 0.5

    def __repr__(self) -> str:
        """Without the password: configurations get logged."""
        login = f"cookie {self.cookie_file}" if self.cookie_file else f"user {self.user!r}"
        return f"NodeConfig({self.url}, wallet {self.wallet!r}, {login})"
