"""Commands about the network: peer list, connect, disconnect.

Owns: those. Must not know: other commands.
"""

import click

from swapd.api import calls
from swapd.cli import draw
from swapd.cli.app import App, Group, pass_app


@click.group(cls=Group)
def peer() -> None:
    """Connected peers."""


@peer.command(name="list")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option("--cursor", default=None, help="`next_cursor` of the page before.")
@pass_app
def list_peers(app: App, /, *, limit: int, cursor: str | None) -> None:
    """Connected peers, and our own addresses to give to others."""
    params = calls.PeerListParams(limit=limit, cursor=cursor)
    app.show("peer.list", params, calls.PeerListResult, lambda r: draw.peers(app.output, r))


@peer.command()
@click.argument("address")
@pass_app
def connect(app: App, /, *, address: str) -> None:
    """Connect to ADDRESS (a multiaddress that ends in /p2p/ and a peer id), and keep to it."""
    params = calls.PeerConnectParams(address=address)
    app.show(
        "peer.connect",
        params,
        calls.PeerConnectResult,
        lambda r: app.output.line(f"connected to {r.peer.peer_id}"),
    )


@peer.command()
@click.argument("identifier", metavar="PEER")
@pass_app
def disconnect(app: App, /, *, identifier: str) -> None:
    """Disconnect from PEER, and stop redialling it."""
    params = calls.PeerDisconnectParams(peer_id=identifier)
    app.show(
        "peer.disconnect",
        params,
        calls.PeerDisconnectResult,
        lambda r: app.output.line("disconnected" if r.disconnected else "was not connected"),
    )
