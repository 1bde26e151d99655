"""Owns what is swapped in a demo, by its pair: what the taker pays against what the maker sells."""

from typing import Final

from msgspec import Struct

DEFAULT: Final = "BTC/LTC"
DECIMALS: Final = {"BTC": 8, "LTC": 8, "ETH": 18, "USDC": 6}
ACCOUNTS: Final = frozenset({"ETH", "USDC"})
"""Assets on the chain of accounts."""

_COINS: Final = {"BTC": 25_000_000, "LTC": 1_000_000_000}
"""Of each of two coins with which a party begins, in base units."""


class Plan(Struct, frozen=True):
    """The maker sells `offered` of the second asset of `pair` at `price` of the first one each;
    the taker takes `taken` of it."""

    pair: str
    price: str
    offered: str
    taken: str

    @property
    def pay(self) -> str:
        """What the taker has."""
        return self.pair.partition("/")[0]

    @property
    def get(self) -> str:
        """What the maker has."""
        return self.pair.partition("/")[2]

    @property
    def assets(self) -> tuple[str, ...]:
        """Whose balances tell the story: fees of a token's chain are paid in its own coin."""
        found = [self.pay, self.get]
        return tuple(dict.fromkeys([*found, *(["ETH"] if "USDC" in found else [])]))

    @property
    def has_accounts(self) -> bool:
        """Whether a chain of accounts takes part."""
        return bool(ACCOUNTS & {self.pay, self.get})

    def coins(self, asset: str) -> int:
        """What a wallet gets twice; 0 where accounts have their money anyway."""
        return _COINS.get(asset, 0)


_ALL: Final = (
    Plan(DEFAULT, "0.0125", "8 LTC", "3 LTC"),
    Plan("LTC/BTC", "80", "0.1 BTC", "0.04 BTC"),
    Plan("BTC/ETH", "0.035", "5 ETH", "2 ETH"),
    Plan("ETH/BTC", "28", "0.2 BTC", "0.1 BTC"),
    Plan("LTC/ETH", "3", "4 ETH", "2 ETH"),
    Plan("BTC/USDC", "0.00001", "5000 USDC", "2000 USDC"),
    Plan("LTC/USDC", "0.01", "900 USDC", "400 USDC"),
    Plan("USDC/LTC", "95", "8 LTC", "3 LTC"),
    Plan("ETH/USDC", "0.0004", "5000 USDC", "2000 USDC"),
)
PLANS: Final = {plan.pair: plan for plan in _ALL}


def plan_of(arguments: list[str]) -> Plan:
    """The plan that `PAIR=BTC/ETH` asks for. Raises ValueError saying what there is."""
    pair = DEFAULT
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name != "PAIR":
            raise ValueError(f"{argument!r} is not understood: write PAIR=BTC/ETH")
        pair = value.upper()
    if pair not in PLANS:
        raise ValueError(f"there is no demo of {pair[:40]!r}, but of {', '.join(PLANS)}")
    return PLANS[pair]


def coins(units: int, asset: str) -> str:
    """Base units as coins with all their digits."""
    decimals = DECIMALS[asset]
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // 10**decimals}.{abs(units) % 10**decimals:0{decimals}d}"
