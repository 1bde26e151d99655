"""Every decoder of the project as a target of the fuzzer.

Owns: the table. Must not know: how inputs are made or run. A decoder that is not here is not
fuzzed: tests/fuzz/test_fuzz.py holds the table against the code.
"""

from tests.fuzz.target import Target
from tests.fuzz.targets import (
    bitcoin,
    control,
    evm,
    gossipsub,
    nodes,
    parties,
    recovery,
    rows,
    secrets,
    settings,
    sockets,
    terminal,
    towers,
    wire,
)

TARGETS: tuple[Target, ...] = (
    *wire.TARGETS,
    *bitcoin.TARGETS,
    *evm.TARGETS,
    *gossipsub.TARGETS,
    *sockets.TARGETS,
    *nodes.TARGETS,
    *control.TARGETS,
    *parties.TARGETS,
    *settings.TARGETS,
    *rows.TARGETS,
    *secrets.TARGETS,
    *recovery.TARGETS,
    *terminal.TARGETS,
    *towers.TARGETS,
)
