"""`python -m tests.simulation.engine SEEDS=n [FROM=m] [TELL=1]`: runs seeds and says what came out.

Owns: this small command only; `./dev sim` is the real one.
"""

import sys
import time
from collections import Counter

from tests.simulation.engine import world

_given = dict(word.split("=", 1) for word in sys.argv[1:])
_first, _count = int(_given.get("FROM", "0")), int(_given.get("SEEDS", "10"))
_tell = _given.get("TELL", "") == "1"
_tallies: Counter[str] = Counter()
_swaps = _bad = 0
_begun = time.process_time()
for _seed in range(_first, _first + _count):
    _result = world.run(_seed, tell=_tell)
    _swaps += _result.swaps
    _tallies.update(_result.tallies)
    if _tell:
        print("\n".join(_result.story))
    if _result.violations:
        _bad += 1
        print(f"seed {_seed}: {len(_result.violations)} violations")
        for _line in _result.violations[:6]:
            print(f"    {_line[:1500]}")
_took = time.process_time() - _begun
print({name: _tallies[name] for name in sorted(_tallies)})
print(f"{_count} seeds, {_swaps} swaps, {_bad} bad, {_took:.1f} s, {_swaps / _took:.1f} swaps/s")
