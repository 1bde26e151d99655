"""Owns the demo's voice: short lines with the seconds since the start, each thing said once."""

import time
from typing import Any


def short(identifier: str) -> str:
    """The beginning of an id, enough to recognise it."""
    return identifier[:12]


class Narrator:
    """Call it to say a line."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said: set[tuple[str, ...]] = set()

    def __call__(self, line: str) -> None:
        print(f"{time.monotonic() - self._began:5.1f}s  {line}")

    def _once(self, key: tuple[str, ...], line: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self(line)

    def swap(self, told: dict[str, dict[str, Any]]) -> None:
        """Says what is new about a swap; `told` is what each party says of it."""
        for name, swap in sorted(told.items(), reverse=True):  # the taker locks and claims first
            for leg in swap["legs"]:
                for tx in leg["transactions"]:
                    if tx["ours"] and tx["depth"] is not None:
                        self._own(name, leg, tx)
            if swap["summary"]["phase"] == "completed":
                self._once((name, "end"), f"{name}: completed; {swap['summary']['reason']}")

    def _own(self, name: str, leg: dict[str, Any], tx: dict[str, Any]) -> None:
        amount = f"{leg['amount']['decimal']} {leg['ticker']}"
        txid = tx["txid"]
        verb = {"lock": "locks", "claim": "claims"}.get(tx["what"], tx["what"])
        why = ""
        if tx["what"] == "claim":
            why = ", which shows the preimage" if name == "taker" else ", with that preimage"
        self._once((txid, "seen"), f"{name}: {verb} {amount}{why}: {txid}")
        if tx["depth"] >= tx["final_depth"]:
            line = f"{name}: its {tx['what']} of {amount} is final, {tx['final_depth']} deep"
            self._once((txid, "final"), line)
