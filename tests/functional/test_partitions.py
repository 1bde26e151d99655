"""Nodes of one chain apart and together again, daemons apart: real partitions in a real swap.

The network namespaces need root and iproute2. Without them these tests fail, and say so.
"""

import pytest

from tests.daemons.fleet import Fleet
from tests.faults import apart, namespaces, partitions
from tests.faults.apart import Pulled, Unreached
from tests.faults.partitions import Partition

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(600)]

SAMPLE = (Partition("lock P final", "taker", "LTC", wins=True),)


@pytest.mark.parametrize("case", SAMPLE, ids=str)
async def test_a_node_healed_onto_another_branch_costs_nobody_a_unit(
    fleet: Fleet, case: Partition
) -> None:
    await case.run(fleet)


@pytest.mark.slow
@pytest.mark.parametrize("case", partitions.ALL, ids=str)
async def test_no_partition_of_a_chain_within_the_depth_costs_anybody_a_unit(
    fleet: Fleet, case: Partition
) -> None:
    await case.run(fleet)


@pytest.mark.slow
@pytest.mark.parametrize("case", apart.ALL, ids=str)
async def test_daemons_in_namespaces_of_their_own_finish_a_swap_without_each_other(
    case: Pulled | Unreached,
) -> None:
    await case.run()


def test_without_root_the_namespaces_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _, **__: "/sbin/ip")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(namespaces.NamespacesImpossibleError, match="need root"):
        namespaces.require()
