"""Writes protocol/vectors/schedules.json from the oracle beside it, and from hand computation.

Run as `python -m tests.protocol.timelocks.make_vectors`. Nothing of `protocol` is imported.
"""

import json
from pathlib import Path
from typing import Any

from tests.protocol.timelocks import oracle
from tests.protocol.timelocks.oracle import BTC_MAIN, BTC_REGTEST, LTC_MAIN, LTC_REGTEST

TARGET = Path(__file__).parents[3] / "protocol" / "vectors" / "schedules.json"
T0 = 1_750_000_200
COIN = 10**8
HOME, SERVER, FAST, REGTEST = (21_600, 6), (1_800, 4), (600, 3), (30, 6)
Json = dict[str, Any]
Exposure = tuple[int, int]
Pace = list[int] | None
ETH, DEV, OTHER_DEV, BASE, UNKNOWN = (
    *("eip155:1", "eip155:31337", "eip155:31338", "eip155:8453", "eip155:4242424242"),
)
OF_ETH, OF_DEV = [13, 1200, 0, 0], [10, 0, 0, 0]
OF_BASE = [2, 1800, 60, 7200]
"""Made up for a chain with a sequencer: only who configures it knows."""


def case(
    name: str,
    taker: Exposure,
    maker: Exposure,
    *,
    timing: str = "standard",
    chains: tuple[str, str] = (BTC_MAIN, LTC_MAIN),
    depths: tuple[int, int] = (3, 12),
    paces: tuple[Pace, Pace] = (None, None),
    t0: int = T0,
) -> Json:
    """The arguments of one schedule."""
    return {
        "name": name,
        "t0": t0,
        "timing": timing,
        "chain_i": chains[0],
        "chain_p": chains[1],
        "depth_i": depths[0],
        "depth_p": depths[1],
        "pace_i": paces[0],
        "pace_p": paces[1],
        "offline_i": taker[0],
        "risk_i": taker[1],
        "offline_p": maker[0],
        "risk_p": maker[1],
    }


_TURNED: Json = {"chains": (LTC_MAIN, BTC_MAIN), "depths": (12, 3)}
_ON_REGTEST = (BTC_REGTEST, LTC_REGTEST)

SCHEDULES = [
    case("BTC for LTC, home and home", HOME, HOME),
    case("BTC for LTC, home taker and server maker", HOME, SERVER),
    case("BTC for LTC, server and server", SERVER, SERVER),
    case("LTC for BTC, home and home", HOME, HOME, **_TURNED),
    case("LTC for BTC, home taker and server maker", HOME, SERVER, **_TURNED),
    case("LTC for BTC, server and server", SERVER, SERVER, **_TURNED),
    case("BTC for LTC, server taker and home maker", SERVER, HOME),
    case("BTC for LTC, deeper for a larger value", SERVER, SERVER, depths=(6, 24)),
    case("expiries rounded up from an odd second", HOME, HOME, t0=T0 + 1),
    case("the most and the least careful party", (0, 9), (0, 2)),
    case("BTC for LTC, fast", FAST, FAST, timing="fast", depths=(1, 3)),
    case(
        "LTC for BTC, fast",
        *(FAST, FAST),
        timing="fast",
        chains=(LTC_MAIN, BTC_MAIN),
        depths=(3, 1),
    ),
    case(
        "BTC for LTC on regtest, the regtest timing",
        *(REGTEST, REGTEST),
        timing="regtest",
        chains=_ON_REGTEST,
        depths=(2, 3),
    ),
    case(
        "LTC for BTC on regtest, the regtest timing",
        *(REGTEST, REGTEST),
        timing="regtest",
        chains=(LTC_REGTEST, BTC_REGTEST),
        depths=(3, 2),
    ),
    case("BTC for LTC on regtest, the standard timing", SERVER, SERVER, chains=_ON_REGTEST),
    *(
        case(f"{name}, {who}", taker, maker, chains=chains, depths=depths, paces=paces)
        for name, chains, depths, paces in (
            ("BTC for ETH", (BTC_MAIN, ETH), (3, 32), (None, OF_ETH)),
            ("ETH for BTC", (ETH, BTC_MAIN), (32, 3), (OF_ETH, None)),
        )
        for who, taker, maker in (
            ("home and home", HOME, HOME),
            ("home taker and server maker", HOME, SERVER),
            ("server and server", SERVER, SERVER),
        )
    ),
    case(
        "ETH for a token of the same chain",
        *(SERVER, SERVER),
        chains=(ETH, ETH),
        depths=(32, 32),
        paces=(OF_ETH, OF_ETH),
    ),
    case(
        "so deep that blocks take longer than finality",
        *(SERVER, SERVER),
        chains=(BTC_MAIN, ETH),
        depths=(3, 200),
        paces=(None, OF_ETH),
    ),
    case(
        "BTC for a coin behind a sequencer, with its outage and early clock",
        *(SERVER, SERVER),
        chains=(BTC_MAIN, BASE),
        depths=(3, 32),
        paces=(None, OF_BASE),
    ),
    case(
        "ETH for an unknown chain, final by depth alone",
        *(HOME, SERVER),
        chains=(ETH, UNKNOWN),
        depths=(32, 50),
        paces=(OF_ETH, [5, 0, 30, 600]),
    ),
    case(
        "BTC for ETH on regtest, the regtest timing",
        *(REGTEST, REGTEST),
        timing="regtest",
        chains=(BTC_REGTEST, DEV),
        depths=(2, 2),
        paces=(None, OF_DEV),
    ),
    case(
        "ETH for LTC on regtest, the regtest timing, a slow sequencer",
        *(REGTEST, REGTEST),
        timing="regtest",
        chains=(DEV, LTC_REGTEST),
        depths=(2, 3),
        paces=([10, 0, 15, 60], None),
    ),
    case(
        "between two chains of our own",
        *(REGTEST, REGTEST),
        timing="regtest",
        chains=(DEV, OTHER_DEV),
        depths=(2, 3),
        paces=(OF_DEV, OF_DEV),
    ),
]

REFUSED = [
    ("exposure_too_long", case("an absence above 12 h", (43_201, 4), SERVER)),
    ("exposure_too_long", case("a risk nobody may ask for", SERVER, (1_800, 10))),
    ("exposure_too_long", case("T_I more than 48 h after t0", (43_200, 9), (43_200, 4))),
    (
        "exposure_too_long",
        case("so deep that T_I is more than 48 h after t0", SERVER, SERVER, depths=(60, 12)),
    ),
    ("depth_too_small", case("BTC at depth 2", SERVER, SERVER, depths=(2, 12))),
    ("depth_too_small", case("LTC at depth 11", SERVER, SERVER, depths=(3, 11))),
    ("depth_too_small", case("a depth no schedule can have", SERVER, SERVER, depths=(3, 2**40))),
    ("wrong_terms", case("the regtest timing on mainnet", SERVER, SERVER, timing="regtest")),
    (
        "wrong_chain",
        case("both legs on one chain", SERVER, SERVER, chains=(BTC_MAIN, BTC_MAIN), depths=(3, 3)),
    ),
    (
        "wrong_chain",
        case("mainnet coins against regtest coins", SERVER, SERVER, chains=(BTC_MAIN, LTC_REGTEST)),
    ),
    (
        "unsupported_asset",
        case("a chain without timings", SERVER, SERVER, chains=(BTC_MAIN, "cosmos:cosmoshub-4")),
    ),
    ("wrong_terms", case("a pace for bitcoin", SERVER, SERVER, paces=(OF_ETH, None))),
    *(
        (
            "wrong_terms",
            case(
                name, SERVER, SERVER, chains=(BTC_MAIN, chain), depths=(3, 32), paces=(None, pace)
            ),
        )
        for name, chain, pace in (
            ("no pace for ethereum", ETH, None),
            ("no pace for a chain behind a sequencer", BASE, None),
            ("no pace for an unknown chain", UNKNOWN, None),
            ("blocks of ethereum a second too fast", ETH, [12, 1200, 0, 0]),
            ("finality of ethereum a second too soon", ETH, [13, 1199, 0, 0]),
            ("blocks that take no time", UNKNOWN, [0, 0, 0, 0]),
            ("an outage of more than two days", UNKNOWN, [2, 0, 0, 172_801]),
            ("a clock more than two days early", UNKNOWN, [2, 0, 172_801, 0]),
        )
    ),
    (
        "wrong_terms",
        case(
            "the regtest timing on ethereum",
            *(REGTEST, REGTEST),
            timing="regtest",
            chains=(BTC_REGTEST, ETH),
            depths=(2, 32),
            paces=(None, OF_ETH),
        ),
    ),
    (
        "depth_too_small",
        case(
            "ETH at depth 31",
            *(SERVER, SERVER),
            chains=(BTC_MAIN, ETH),
            depths=(3, 31),
            paces=(None, OF_ETH),
        ),
    ),
    (
        "wrong_chain",
        case(
            "bitcoin against coins of a test network",
            *(SERVER, SERVER),
            chains=(BTC_MAIN, "eip155:11155111"),
            depths=(3, 32),
            paces=(None, OF_ETH),
        ),
    ),
    ("wrong_expiry", case("a t0 that would be a block height", SERVER, SERVER, t0=500_000_000)),
    ("wrong_expiry", case("T_I past 2^31", SERVER, SERVER, t0=2**31 - 3_600)),
]

# chain, units, timing, q, height, depth, why
DEPTHS = [
    (BTC_MAIN, COIN, "standard", 1, 900_000, 3, "d_min"),
    (BTC_MAIN, 937_500_000, "standard", 1, 900_000, 3, "exactly three rewards of 3.125 BTC"),
    (BTC_MAIN, 937_500_001, "standard", 1, 900_000, 4, "one unit more"),
    (BTC_MAIN, 937_500_001, "standard", 2, 900_000, 3, "q = 2"),
    (BTC_MAIN, 25 * COIN, "standard", 1, 839_999, 4, "6.25 BTC before the fourth halving"),
    (BTC_MAIN, 25 * COIN, "standard", 1, 840_000, 8, "3.125 BTC from it on"),
    (LTC_MAIN, 75 * COIN, "standard", 1, 3_000_000, 12, "12 rewards of 6.25 LTC"),
    (LTC_MAIN, 75 * COIN + 1, "standard", 1, 3_000_000, 13, "one unit more"),
    (BTC_MAIN, 1, "fast", 1, 900_000, 1, "d_min"),
    (LTC_MAIN, 1, "fast", 1, 3_000_000, 3, "d_min"),
    (BTC_REGTEST, 50 * COIN, "regtest", 1, 3_000, 2, "regtest coins are worth nothing"),
    (LTC_REGTEST, 50 * COIN, "regtest", 1, 3_000, 3, "regtest coins are worth nothing"),
]
_DEPTH_KEYS = ("chain", "units", "timing", "factor", "height", "depth", "why")


def build() -> Json:
    """The whole file as a value."""
    return {
        "source": (
            "Quantiles and schedules: tests/protocol/timelocks/oracle.py (log-gamma sums in "
            "floating point, formulas of the safety rules written out again). Depths and "
            "refusals: by hand. Times in unix seconds, durations in seconds."
        ),
        "quantiles": [
            {"blocks": n, "mean": m, "risk": r, "seconds": oracle.quantile(n, m, r)}
            for m in (900, 225)
            for n in (0, 1, 2, 3, 5, 8, 11, 17, 23, 29, 32, 60)
            for r in (2, 3, 4, 6, 9)
        ],
        "schedules": [one | {"expected": oracle.schedule(one)} for one in SCHEDULES],
        "refused": [one | {"refused": refusal} for refusal, one in REFUSED],
        "depths": [dict(zip(_DEPTH_KEYS, row, strict=True)) for row in DEPTHS],
    }


def text() -> str:
    """The file: one case a line."""
    lines = []
    for key, value in build().items():
        if isinstance(value, list):
            rows = ",\n".join("  " + json.dumps(row) for row in value)
            lines.append(f" {json.dumps(key)}: [\n{rows}\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
