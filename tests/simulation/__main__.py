"""`./dev sim SEEDS=n [TIER=...] [SEED=x] [FROM=x]`: the deterministic world.

Owns: this command's words. Must not know: worlds.
"""

import secrets
import sys

from rich.console import Console

from tests.simulation import report, runs

_USAGE = """usage: ./dev sim [SEEDS=n] [TIER=...] [SEED=x] [FROM=x] [WORKERS=n]

  TIER     pure, mixed (chains with accounts too), engine, both (pure and engine: default), towers
  SEEDS    how many worlds of each tier (default 100), from a fresh seed that is printed
  SEED     replays this one seed and tells its story; TIER is then pure unless given
  FROM     the first seed, instead of a fresh one"""


def _arguments(words: list[str]) -> dict[str, str]:
    given = dict(word.split("=", 1) for word in words if "=" in word)
    known = {"SEEDS", "TIER", "SEED", "FROM", "WORKERS"}
    numbers = [value for name, value in given.items() if name != "TIER"]
    if len(given) != len(words) or set(given) - known or not all(n.isdigit() for n in numbers):
        raise SystemExit(_USAGE)
    if given.get("TIER", "both") not in {*runs.TIERS, "both"}:
        raise SystemExit(_USAGE)
    return given


def _replay(console: Console, tier: str, seed: int) -> int:
    result = runs.replay(tier, seed)
    for line in result.story:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for wrong in result.violations:
        console.print(f"VIOLATION {wrong}", markup=False, highlight=False, soft_wrap=True)
    print(f"sim: {result.swaps} swaps, 1 seeds, {len(result.violations)} violations")
    return 1 if result.violations else 0


def main(words: list[str]) -> int:
    """The exit code: 1 when something was violated."""
    given = _arguments(words)
    console = Console()
    tier = given.get("TIER", "pure" if "SEED" in given else "both")
    if "SEED" in given:
        return _replay(console, "pure" if tier == "both" else tier, int(given["SEED"]))
    count = int(given.get("SEEDS", "100"))
    first = int(given["FROM"]) if "FROM" in given else secrets.randbelow(10**12)
    workers = int(given["WORKERS"]) if "WORKERS" in given else None
    summaries = []
    for name in ("pure", "engine") if tier == "both" else (tier,):
        print(f"{name} tier: seeds {first} to {first + count - 1}")
        with report.progress(console, name, count) as each:
            seeds = range(first, first + count)
            summaries.append(runs.campaign(name, seeds, workers=workers, each=each))
        report.show_summary(console, summaries[-1])
    for summary in summaries:
        for failed in report.shown(summary):
            report.show_failure(console, summary.tier, runs.replay(summary.tier, failed.seed))
        if summary.failed:
            print(f"failing {summary.tier} seeds: {[r.seed for r in summary.failed]}")
    print(report.last_line(summaries))
    return 1 if any(summary.failed for summary in summaries) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
