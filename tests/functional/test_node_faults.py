"""Nodes that stall, die, and answer late, never or with nonsense; network processes that die; wires
between daemons that delay, lose and break: in the middle of real swaps.
"""

import pytest

from tests.daemons.fleet import Fleet
from tests.faults import calls, nodes, wired
from tests.faults.calls import Call, Methods
from tests.faults.nodes import NetworkKilled, NodeOut
from tests.faults.outage import Outage
from tests.faults.wired import Bad

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(600)]

SAMPLE = (
    NodeOut("lock P final", "taker", "LTC", Outage.STALLED),
    NetworkKilled("lock P mined"),
)
"""The calls that a node harms are for the long run: daemons and nodes start anew for each."""

Case = Call | Methods | NodeOut | NetworkKilled | Bad


@pytest.mark.parametrize("case", SAMPLE, ids=str)
async def test_a_fault_around_a_swap_costs_nobody_a_unit(fleet: Fleet, case: Case) -> None:
    await case.run(fleet)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*calls.ALL, *nodes.OUTAGES, *nodes.NETWORKS, *wired.ALL], ids=str)
async def test_no_fault_around_a_swap_costs_anybody_a_unit(fleet: Fleet, case: Case) -> None:
    await case.run(fleet)
