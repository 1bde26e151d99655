"""What a daemon costs while nothing happens: both processes, from /proc."""

import os
import time
from pathlib import Path

import trio

from tests.bench.report import Row
from tests.daemons.process import SwapdProcess

IDLE_SECONDS = 20


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def measure(daemon: SwapdProcess) -> list[Row]:
    """Resident memory and share of one core over some seconds."""
    processes = {"daemon": daemon.pid}
    found = children(daemon.pid)
    if found:
        processes["network process"] = found[0]
    before = {name: _cpu(pid) for name, pid in processes.items()}
    began = time.perf_counter()
    await trio.sleep(IDLE_SECONDS)
    took = time.perf_counter() - began
    return [
        Row(
            f"idle {name}",
            f"{_memory(pid):.0f} MB",
            "",
            "",
            f"{(_cpu(pid) - before[name]) / took * 100:.1f} % of a core over {took:.0f} s",
        )
        for name, pid in processes.items()
    ]
