"""Two parties and the leg between them, with real keys: what the tests lock and spend."""

import hashlib
import itertools
from dataclasses import dataclass, field

import coincurve
import wallycore

from protocol.amounts import Amount, Units
from protocol.bitcoin.address import address_of, hash160, p2wpkh_script
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import ChainParams
from protocol.swap.facts import LockSeen
from protocol.terms import Kind, LegTerms, PinnedBlock
from swapd.ports import Chain, LegWatch, SignDigest, SignedTx
from tests.chains.bench import COIN, Bench

RATE = 5_000
"""Base units per 1000 vbytes: above every floor of a test node."""


def sign_with(secret: bytes) -> SignDigest:
    """Low-R, low-S DER, as the port wants it."""

    async def sign(digest: bytes) -> bytes:
        flags = wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_GRIND_R
        compact = bytes(wallycore.ec_sig_from_bytes(secret, digest, flags))
        return bytes(wallycore.ec_sig_to_der(compact))

    return sign


def public(secret: bytes) -> bytes:
    return coincurve.PrivateKey(secret).public_key.format()


_names = itertools.count(1)


def new_deal(bench: Bench, units: int = COIN // 10, lasts: int = 3600) -> "Deal":
    """A leg that nobody has locked yet, with keys of its own."""
    return Deal(bench.params, f"deal-{next(_names)}", units, bench.now() + lasts)


@dataclass
class Deal:
    """One leg: secrets of both parties, the preimage, the terms. `name` makes it unlike others."""

    params: ChainParams
    name: str
    units: int
    expiry: int
    leg: LegTerms = field(init=False)

    def __post_init__(self) -> None:
        self.claimer = self._secret("claimer")
        self.locker = self._secret("locker")
        self.preimage = self._secret("preimage")
        self.hashlock = hashlib.sha256(self.preimage).digest()
        self.leg = LegTerms(
            kind=Kind.P2WSH,
            amount=Amount(self.params.asset_id, Units(self.units)),
            claim_key=public(self.claimer),
            refund_key=public(self.locker),
            expiry=self.expiry,
            depth=2,
            pinned=PinnedBlock(0, bytes.fromhex(self.params.genesis)),
        )

    def _secret(self, what: str) -> bytes:
        return hashlib.sha256(f"{self.name}/{what}".encode()).digest()

    @property
    def htlc(self) -> Htlc:
        return Htlc(self.leg.claim_key, self.leg.refund_key, self.hashlock, self.leg.expiry)

    @property
    def script(self) -> bytes:
        return self.htlc.script_pubkey()

    @property
    def payout(self) -> str:
        """An address of the claimer's own; nobody's wallet watches it."""
        return address_of(self.params, p2wpkh_script(hash160(self.leg.claim_key)))

    def watch(
        self, since: int, own_inputs: tuple[str, ...] = (), name: str = "", deadline: int = 0
    ) -> LegWatch:
        return LegWatch(name or self.name, self.leg, self.hashlock, since, own_inputs, deadline)

    def signer(self) -> tuple[bytes, SignDigest]:
        """Who signs for what a claim has paid."""
        return public(self.claimer), sign_with(self.claimer)

    async def claim(self, chain: Chain, lock: LockSeen, to: str, rate: int = RATE) -> SignedTx:
        return await chain.build_claim(
            self.leg, self.hashlock, lock, to, rate, sign_with(self.claimer), self.preimage
        )

    async def refund(self, chain: Chain, lock: LockSeen, to: str, rate: int = RATE) -> SignedTx:
        return await chain.build_refund(
            self.leg, self.hashlock, lock, to, rate, sign_with(self.locker)
        )
