"""What `tower.list` answers of one tower with one package. Owns: that sample."""

from swapd.api import calls

TOWERS = calls.TowerListResult(
    required=False,
    towers=(
        calls.TowerView(
            peer_id="16Uiu2HAmTower",
            addresses=("/ip4/192.0.2.8/tcp/7928",),
            acts=("claim",),
            heard_at=1_800_000_000,
            problems=("its BTC node is 9 blocks behind",),
            packages=(
                calls.TowerPackageView(
                    swap_id="5a" * 32,
                    leg="i",
                    act="claim",
                    held=False,
                    stage="acting",
                    txid="ab" * 32,
                ),
            ),
        ),
    ),
)
