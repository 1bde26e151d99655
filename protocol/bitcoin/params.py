"""The chains of the bitcoind family, as data.

Owns: `ChainParams`, the table of known chains, subsidy and dust arithmetic.
Must not know: nodes, configuration, fee estimates.

Sources: chainparams.cpp and policy.h of Bitcoin Core 29 and Litecoin Core 0.21.4; CAIP-2 namespace
bip122; CAIP-19 namespace slip44 (SLIP-44: 0 bitcoin, 2 litecoin, 1 every test network). A genesis
hash tells networks apart, not forks of one history (safety.md 12): terms pin a recent block too.
"""

from msgspec import Struct

from protocol.assets import AssetId, ChainId
from protocol.bitcoin.errors import UnknownChainError

COIN = 100_000_000
"""Base units (satoshi, litoshi) in one coin."""

COINBASE_MATURITY = 100
"""Blocks before a coinbase output can be spent."""

_P2WPKH_DUST_INPUT = 67
_LEGACY_DUST_INPUT = 148


class ChainParams(Struct, frozen=True, kw_only=True):
    """One chain. Rates are base units per 1000 vbytes, amounts base units, intervals seconds."""

    name: str
    network: str
    genesis: str  # block 0 as RPC shows it, 64 hex digits
    ticker: str
    slip44: int
    hrp: str
    p2pkh_version: int
    p2sh_version: int
    subsidy: int
    halving_interval: int
    block_interval: int
    dust_rate: int
    min_relay_rate: int
    has_mweb: bool
    replaces: bool  # whether most nodes replace what is in their mempool (BIP125)
    mweb_hrp: str | None = None
    decimals: int = 8
    coinbase_maturity: int = COINBASE_MATURITY
    hogex_maturity: int | None = None  # None: the chain has no HogEx

    @property
    def title(self) -> str:
        """The chain in words, for messages: "bitcoin regtest"."""
        return f"{self.name} {self.network}"

    @property
    def chain_id(self) -> ChainId:
        """CAIP-2: the first 32 hex digits of the genesis hash."""
        return ChainId(f"bip122:{self.genesis[:32]}")

    @property
    def asset_id(self) -> AssetId:
        """CAIP-19 of the chain's own coin."""
        return AssetId(f"{self.chain_id}/slip44:{self.slip44}")

    @property
    def is_test(self) -> bool:
        """Whether its coins are worth nothing."""
        return self.network != "mainnet"

    def block_reward(self, height: int) -> int:
        """Subsidy of the block at `height`, base units, fees not counted. Never negative."""
        halvings = max(0, height) // self.halving_interval
        return self.subsidy >> halvings if halvings < 64 else 0

    def dust_limit(self, script_pubkey: bytes) -> int:
        """The least amount a standard output to `script_pubkey` may carry, base units.

        Policy, not consensus (GetDustThreshold): what spending it would cost at the dust rate.
        """
        spending = _P2WPKH_DUST_INPUT if _is_witness(script_pubkey) else _LEGACY_DUST_INPUT
        size = 8 + 1 + len(script_pubkey) + spending
        return -(-size * self.dust_rate // 1000)


def _is_witness(script_pubkey: bytes) -> bool:
    """Whether it is a witness program (BIP141): a version opcode and one push of 2 to 40 bytes."""
    return (
        4 <= len(script_pubkey) <= 42
        and (script_pubkey[0] == 0 or 0x51 <= script_pubkey[0] <= 0x60)
        and script_pubkey[1] + 2 == len(script_pubkey)
    )


def _bitcoin(network: str, genesis: str, hrp: str, *, halving: int = 210_000) -> ChainParams:
    main = network == "mainnet"
    return ChainParams(
        name="bitcoin",
        network=network,
        genesis=genesis,
        ticker="BTC",
        slip44=0 if main else 1,
        hrp=hrp,
        p2pkh_version=0x00 if main else 0x6F,
        p2sh_version=0x05 if main else 0xC4,
        subsidy=50 * COIN,
        halving_interval=halving,
        block_interval=600,
        dust_rate=3_000,
        min_relay_rate=1_000,
        has_mweb=False,
        replaces=True,
    )


def _litecoin(
    network: str, genesis: str, hrp: str, mweb_hrp: str, *, halving: int = 840_000
) -> ChainParams:
    main = network == "mainnet"
    return ChainParams(
        name="litecoin",
        network=network,
        genesis=genesis,
        ticker="LTC",
        slip44=2 if main else 1,
        hrp=hrp,
        p2pkh_version=0x30 if main else 0x6F,
        # The newer of litecoin's two: the older one is bitcoin's, and would let a bitcoin
        # address pass for a litecoin one.
        p2sh_version=0x32 if main else 0x3A,
        subsidy=50 * COIN,
        halving_interval=halving,
        block_interval=150,
        dust_rate=30_000,
        min_relay_rate=1_000,
        has_mweb=True,
        replaces=False,
        mweb_hrp=mweb_hrp,
        hogex_maturity=6,
    )


BITCOIN_MAINNET = _bitcoin(
    "mainnet", "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", "bc"
)
BITCOIN_TESTNET3 = _bitcoin(
    "testnet3", "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943", "tb"
)
BITCOIN_TESTNET4 = _bitcoin(
    "testnet4", "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043", "tb"
)
BITCOIN_SIGNET = _bitcoin(
    "signet", "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6", "tb"
)
BITCOIN_REGTEST = _bitcoin(
    "regtest",
    "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    "bcrt",
    halving=150,
)
LITECOIN_MAINNET = _litecoin(
    "mainnet", "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2", "ltc", "ltcmweb"
)
LITECOIN_TESTNET = _litecoin(
    "testnet", "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0", "tltc", "tmweb"
)
LITECOIN_REGTEST = _litecoin(
    "regtest",
    "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
    "rltc",
    "tmweb",
    halving=150,
)

ALL_CHAINS = (
    BITCOIN_MAINNET,
    BITCOIN_TESTNET3,
    BITCOIN_TESTNET4,
    BITCOIN_SIGNET,
    BITCOIN_REGTEST,
    LITECOIN_MAINNET,
    LITECOIN_TESTNET,
    LITECOIN_REGTEST,
)
"""Every chain this package knows. Another member of the family is one more entry."""

_BY_ID = {chain.chain_id: chain for chain in ALL_CHAINS}
_BY_NAME = {(chain.name, chain.network): chain for chain in ALL_CHAINS}


def params_by_chain(chain_id: str) -> ChainParams:
    """The parameters of a CAIP-2 id. Raises UnknownChainError."""
    try:
        return _BY_ID[ChainId(chain_id)]
    except KeyError:
        msg = f"no chain of the bitcoind family has the id {chain_id[:80]!r}"
        raise UnknownChainError(msg) from None


def params_for(name: str, network: str) -> ChainParams:
    """The parameters of, say, ("litecoin", "regtest"). Raises UnknownChainError."""
    try:
        return _BY_NAME[name, network]
    except KeyError:
        known = ", ".join(chain.title for chain in ALL_CHAINS)
        msg = f"unknown chain {name[:40]!r} {network[:40]!r}; known are {known}"
        raise UnknownChainError(msg) from None
