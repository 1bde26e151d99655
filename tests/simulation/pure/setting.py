"""What kind of world a seed makes: timings, chains, weather, and who is honest.

Owns: `Setting`, drawn from a seed. Must not know: how any of it happens.
"""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from protocol.assets import AssetId
from protocol.bitcoin.params import ChainParams, params_for
from protocol.evm.address import checksummed
from protocol.evm.params import EvmParams
from protocol.swap.timelocks import FINALIZED_DEPTH
from protocol.terms import Exposure, Pace, Timing

FAMILIES = ("bitcoin", "litecoin")
ACCOUNTS = ("ether", "other")
"""Chains with accounts."""

TOKEN = checksummed(bytes.fromhex("7a" * 20))
TOKENS = 0.4
"""Share of chains with accounts on which a token is swapped."""

FINALIZING = 0.35
"""Share of chains with accounts whose own word says what is final."""

UNITS_OF_ACCOUNTS = 1000
"""So many base units there for each of a chain of outputs: gas is counted in tens of thousands."""

START = 1_800_000_000

HOME, SERVER = Exposure(6 * 3600, 6), Exposure(1800, 4)
FAST, REGTEST = Exposure(600, 3), Exposure(30, 6)


class Kind(NamedTuple):
    """A way to time swaps: the terms' timing and both sides' exposures."""

    name: str
    timing: Timing
    taker: Exposure
    maker: Exposure
    network: str


KINDS = (
    Kind("home", Timing.STANDARD, HOME, HOME, "mainnet"),
    Kind("server", Timing.STANDARD, SERVER, SERVER, "mainnet"),
    Kind("mixed", Timing.STANDARD, HOME, SERVER, "mainnet"),
    Kind("fast", Timing.FAST, FAST, FAST, "mainnet"),
    Kind("regtest", Timing.REGTEST, REGTEST, REGTEST, "regtest"),
)
_WEIGHTS = (2, 3, 2, 3, 3)


class Weather(NamedTuple):
    """One chain's. `mean` seconds a block takes, `slow` how often a stretch of slow blocks begins
    (per block, in 1000ths); `early` and `low` the share of blocks stamped so, in percent; `peak`
    the rate of a fee spike, 0 for none; `colluding` percent of blocks mined by the thief's friends;
    `reorgs` how many within depth, `evictions` how many."""

    mean: int
    slow: int
    early: int
    low: int
    peak: int
    colluding: int
    reorgs: int
    evictions: int
    replaces: bool


class Setting(NamedTuple):
    """`deep`: one reorganisation beyond depth happens on purpose. `faults`: how many crashes,
    node troubles, full disks and absences each daemon has at most."""

    seed: int
    kind: Kind
    depths: dict[str, int]
    weather: dict[str, Weather]
    swaps: int
    rogues: int
    faults: int
    deep: bool
    hands: int
    least_units: int
    families: tuple[str, str] = FAMILIES
    paces: Mapping[str, Pace] = MappingProxyType({})
    tokens: tuple[str, ...] = ()

    def params(self, family: str) -> ChainParams | EvmParams:
        """Of one of the two chains."""
        if family in ACCOUNTS:
            is_regtest = self.kind.timing is Timing.REGTEST
            number = (31337 if is_regtest else 4_242_424_242) + ACCOUNTS.index(family)
            return EvmParams(number, family)
        return params_for(family, self.kind.network)

    def asset(self, family: str) -> AssetId:
        """What is swapped there: the chain's own coin, or a token."""
        params = self.params(family)
        if family not in self.tokens:
            return AssetId(params.asset_id)
        return AssetId(f"{params.chain_id}/erc20:{TOKEN}")

    def least(self, family: str) -> int:
        """The least units of a leg there."""
        return self.least_units * (UNITS_OF_ACCOUNTS if family in ACCOUNTS else 1)


_INTERVALS = {"bitcoin": (600, 900), "litecoin": (150, 225)}
_DEPTHS = {
    Timing.STANDARD: {"bitcoin": (3, 4), "litecoin": (12, 14)},
    Timing.FAST: {"bitcoin": (1, 3), "litecoin": (3, 6)},
    Timing.REGTEST: {"bitcoin": (2, 3), "litecoin": (3, 5)},
}


def draw(seed: int) -> Setting:
    """The setting of `seed`, the same wherever it is drawn."""
    rng = Random(f"setting {seed}")
    kind = rng.choices(KINDS, _WEIGHTS)[0]
    depths = {family: rng.randint(*_DEPTHS[kind.timing][family]) for family in FAMILIES}
    if kind.name == "home":  # more would exceed 48 h
        depths["litecoin"] = 12
        depths["bitcoin"] = 3
    rough = rng.random()
    least_units = rng.choice((150_000, 1_000_000, 2_000_000, 20_000_000))
    deep = rng.random() < 0.08
    return Setting(
        seed=seed,
        kind=kind,
        depths=depths,
        weather={f: _weather(rng, kind, f, depths[f], rough, least_units) for f in FAMILIES},
        swaps=rng.randint(60, 140),
        rogues=rng.choice((0, 50, 80, 100)),
        faults=0 if rough < 0.2 else rng.randint(0, 8),
        deep=deep,
        hands=rng.choice((0, 0, 10, 30)),
        least_units=least_units,
    )


def draw_mixed(seed: int) -> Setting:
    """The setting of `seed` with a chain that has accounts, or two: the rest is that of `draw`."""
    setting = draw(seed)
    rng = Random(f"mixed {seed}")
    families = rng.choice(
        (("bitcoin", "ether"), ("ether", "bitcoin"), ("litecoin", "ether"), ACCOUNTS)
    )
    is_regtest = setting.kind.timing is Timing.REGTEST
    calm = not setting.faults and not any(w.reorgs for w in setting.weather.values())
    depths, weather, paces = dict(setting.depths), dict(setting.weather), {}
    for family in families:
        if family not in ACCOUNTS:
            continue
        pace = Pace(10) if is_regtest else _pace(rng, setting.kind)
        depths[family] = rng.randint(2, 3) if is_regtest else rng.randint(2, 8)
        if Random(f"final {seed} {family}").random() < FINALIZING:
            pace = msgspec.structs.replace(pace, finality=60 if is_regtest else 1200)
            depths[family] = 8 if is_regtest else FINALIZED_DEPTH
        paces[family] = pace
        weather[family] = Weather(
            mean=8 if is_regtest else pace.interval * rng.choice((3, 4)) // 4,
            slow=0 if calm else rng.choice((0, 0, 10)),
            early=rng.choice((0, 30, 100)) if pace.early else 0,
            low=0,
            peak=rng.choice((0, 0, 1)) * min(10**8, setting.least_units * 3 // 4),
            colluding=0 if calm else rng.choice((0, 20, 40)),
            reorgs=0 if calm else rng.choice((0, 1, 3)),
            evictions=0 if calm else rng.choice((0, 3, 10)),
            replaces=True,
        )
    tokens = tuple(f for f in paces if Random(f"token {seed} {f}").random() < TOKENS)
    return setting._replace(
        families=families, depths=depths, weather=weather, paces=paces, tokens=tokens
    )


def _pace(rng: Random, kind: Kind) -> Pace:
    """How a chain that nobody knows keeps time, as its operators say: within what fits 48 h."""
    patient = kind.name == "home"
    return Pace(
        interval=rng.choice((60, 90, 120)),
        early=rng.choice((0, 300, 600 if patient else 3600)),
        outage=rng.choice((0, 600, 1200 if patient else 7200)),
    )


def _weather(
    rng: Random, kind: Kind, family: str, depth: int, rough: float, least_units: int
) -> Weather:
    usual, stressed = _INTERVALS[family]
    is_regtest = kind.timing is Timing.REGTEST
    replaces = family == "bitcoin" or rng.random() < 0.6
    # Rule 14: claim and refund at the stress rate cost at most a tenth of the value.
    peak = min(500_000, least_units * 1000 // 2700)
    calm = rough < 0.2
    return Weather(
        mean=8 if is_regtest else rng.choice((usual, usual, stressed)),
        slow=0 if calm else rng.choice((0, 0, 10, 30)),
        early=0 if calm else rng.choice((0, 20, 20, 100)),
        low=0 if calm else rng.choice((0, 20)),
        peak=peak if replaces and not calm and rng.random() < 0.4 else 0,
        colluding=0 if calm else rng.choice((0, 20, 40)),
        reorgs=0 if calm or depth < 2 else rng.choice((0, 1, 3)),
        evictions=0 if calm else rng.choice((0, 3, 10)),
        replaces=replaces,
    )
