"""The part of a node's mempool that concerns our watches.

Owns: `Mempool`: which unconfirmed transactions pay a watched script or spend a watched output, kept
up by polls. Must not know: blocks, what the transactions mean.

Two ways, by what the node offers. `gettxspendingprevout` (Bitcoin Core 24 and later) tells at once
what spends given outputs. Scripts, and everything on nodes without it (litecoind), are found by
reading each new entry of `getrawmempool` once and searching its bytes. A mempool never seen before
is worked off in portions, newcomers first, so that a poll stays short on a busy chain.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import trio
from msgspec import Struct

from protocol.bitcoin.scan import contains_outpoint, contains_script
from protocol.bitcoin.tx import MAX_TX_BYTES, OutPoint
from swapd.chains.answers import block_hash, raw_hex, rows, table, units, whole
from swapd.chains.checks import METHOD_NOT_FOUND
from swapd.chains.leg_watch import SeenTx, read_tx
from swapd.chains.rpc import MAX_LARGE_ANSWER, Call, Rpc, RpcError

PORTION: Final = 1_000
"""Transactions read per poll, at most."""

_BATCH = 25
_OUTPOINTS = 200
_PASSES = 3


class Entry(Struct, frozen=True):
    """An unconfirmed transaction: what it and all that hangs on it pay, in base units, and since
    when (unix seconds) it has been in this mempool."""

    fees: int
    since: int


class Mempool:
    """Unconfirmed transactions of interest, by txid."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._lock = trio.Lock()
        self._tells_spends = True  # until the node says that it does not know the call
        self._known: set[str] = set()
        self._backlog: set[str] = set()
        self._sought: frozenset[bytes | OutPoint] = frozenset()
        self._found: dict[str, SeenTx] = {}

    def transactions(self) -> tuple[SeenTx, ...]:
        """What the last look found, parents before the children seen later."""
        return tuple(self._found.values())

    async def entries(self, txids: Iterable[str]) -> dict[str, Entry]:
        """Those of `txids` that are in the mempool."""
        asked = sorted(txids)
        calls: list[Call] = [("getmempoolentry", (txid,)) for txid in asked]
        answers = zip(asked, await self._rpc.batch(calls), strict=True)
        return {
            txid: _entry(table(answer))
            for txid, answer in answers
            if not isinstance(answer, RpcError)  # an error: it is not in the mempool
        }

    def forget(self) -> None:
        """After a reconnect: another node, or another version of it, may answer now."""
        self._tells_spends = True
        self._known.clear()
        self._backlog.clear()

    async def look(
        self, scripts: Iterable[bytes], outpoints: Iterable[OutPoint], *, everything: bool
    ) -> bool:
        """Brings the findings up to date; True when they changed. `everything`: scripts are still
        awaited; without it a node that tells spends is asked for those of `outpoints` only."""
        sought = frozenset(scripts)
        async with self._lock:
            before = set(self._found)
            targets = frozenset(outpoints) | self._outputs_to(sought)
            for _ in range(_PASSES):
                await self._pass(sought, targets, everything=everything)
                # An output of a transaction just found can be spent already.
                more = targets | self._outputs_to(sought)
                if more == targets:
                    break
                targets = more
            return set(self._found) != before

    def _outputs_to(self, scripts: frozenset[bytes]) -> frozenset[OutPoint]:
        return frozenset(
            OutPoint.of(txid, index)
            for txid, seen in self._found.items()
            for index, output in enumerate(seen.tx.outputs)
            if output.script_pubkey in scripts
        )

    async def _pass(
        self, scripts: frozenset[bytes], outpoints: frozenset[OutPoint], *, everything: bool
    ) -> None:
        spenders = await self._spenders(outpoints)
        if everything or (outpoints and spenders is None):
            self._seek(scripts, outpoints)
            await self._read_new(scripts, outpoints)
        else:
            kept = spenders or set()
            self._found = {t: seen for t, seen in self._found.items() if t in kept}
        await self._fetch((spenders or set()) - self._found.keys(), scripts, outpoints)

    def _seek(self, scripts: frozenset[bytes], outpoints: frozenset[OutPoint]) -> None:
        """When more is sought than before, everything read already must be read again."""
        outputs = frozenset() if self._tells_spends else outpoints
        sought: frozenset[bytes | OutPoint] = frozenset({*scripts, *outputs})
        if sought - self._sought:
            self._known.clear()
        self._sought = sought

    async def _spenders(self, outpoints: frozenset[OutPoint]) -> set[str] | None:
        """The txids that spend any of `outpoints`; None when the node can't tell."""
        if not self._tells_spends:
            return None
        ordered = sorted(outpoints)
        found: set[str] = set()
        for start in range(0, len(ordered), _OUTPOINTS):
            asked = [
                {"txid": outpoint.txid.hex(), "vout": outpoint.vout}
                for outpoint in ordered[start : start + _OUTPOINTS]
            ]
            try:
                answer = await self._rpc.call("gettxspendingprevout", asked)
            except RpcError as error:
                if error.code != METHOD_NOT_FOUND:
                    raise
                self._tells_spends = False
                return None
            for item in rows(answer):
                if "spendingtxid" in table(item):
                    found.add(block_hash(item["spendingtxid"]))
        return found

    async def _read_new(self, scripts: frozenset[bytes], outpoints: frozenset[OutPoint]) -> None:
        answer = await self._rpc.call("getrawmempool", False, most=MAX_LARGE_ANSWER)  # noqa: FBT003 - positional in RPC
        listed = {block_hash(item) for item in rows(answer)}
        self._found = {t: seen for t, seen in self._found.items() if t in listed}
        self._known &= listed
        self._backlog &= listed
        fresh = listed - self._known - self._backlog
        portion = [*fresh, *(self._backlog - fresh)][:PORTION]
        self._backlog |= fresh
        await self._fetch(portion, scripts, outpoints)

    async def _fetch(
        self, txids: Iterable[str], scripts: frozenset[bytes], outpoints: frozenset[OutPoint]
    ) -> None:
        """Reads transactions and keeps those of interest."""
        ordered = list(txids)
        for start in range(0, len(ordered), _BATCH):
            names = ordered[start : start + _BATCH]
            calls: list[Call] = [("getrawtransaction", (name, False)) for name in names]
            answers = await self._rpc.batch(calls, most=MAX_LARGE_ANSWER)
            for name, answer in zip(names, answers, strict=True):
                if isinstance(answer, RpcError):
                    continue  # it has left the mempool meanwhile
                self._backlog.discard(name)
                self._known.add(name)
                self._keep(name, raw_hex(answer, MAX_TX_BYTES), scripts, outpoints)

    def _keep(
        self, name: str, raw: bytes, scripts: frozenset[bytes], outpoints: frozenset[OutPoint]
    ) -> None:
        if not (
            any(contains_script(raw, script) for script in scripts)
            or any(contains_outpoint(raw, outpoint) for outpoint in outpoints)
        ):
            return
        seen = read_tx(raw)
        if seen is not None and seen.txid == name:
            self._found[name] = seen


def _entry(answer: Mapping[str, Any]) -> Entry:
    fees = units(table(answer.get("fees")).get("descendant"))
    return Entry(fees, whole(answer.get("time"), 0, 2**32 - 1))
