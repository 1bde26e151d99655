"""One take, between the real machines of both sides, over a line that loses, repeats and forges.

Owns: `Parley`: honest ends that mirror the daemon's, rogue ends that sign what suits them, the
line. Must not know: what good terms are (`checks.market`), what happens after the agreement.

Signatures are real, as in the book: a share of all swaps is small enough for that.
"""

import hashlib
from random import Random
from typing import NamedTuple

import coincurve
import msgspec

from protocol.codec import encode
from protocol.errors import RemoteProtocolError
from protocol.limits import SKEW
from protocol.negotiation import maker as making
from protocol.negotiation import taker as taking
from protocol.negotiation.checks import Side
from protocol.negotiation.messages import Accept, Propose, Reserve, SignedReserve, read
from protocol.negotiation.terms import TakerPart
from protocol.offers import Offer
from protocol.proof import FundsProof
from protocol.signing import Signature, Tag, public_key, sign
from protocol.terms import PinnedBlock, Terms
from tests.simulation.checks import market as checks
from tests.simulation.pure.bazaar import Maker
from tests.simulation.pure.setting import Setting

_PROOF = FundsProof(b"\x02proof", ("ab" * 32 + ":0",))
_PINNED = PinnedBlock(800_000, bytes(range(32)))

MAKER_LIES = ("depths", "exposure", "fee", "other swap", "other signer", "keys", "late", "no terms")
TAKER_LIES = (
    "gets more", "gives less", "expiry_i", "expiry_p", "depth_i", "depth_p", "old hashlock", "t0",
    "keys", "other signer", "exposure",
)  # fmt: skip


class Agreed(NamedTuple):
    """Terms that both sides signed, and the preimage that only the taker knows."""

    terms: Terms
    preimage: bytes


def _key(name: str) -> bytes:
    return coincurve.PrivateKey(hashlib.sha256(name.encode()).digest()).public_key.format()


def _sign(secret: bytes, tag: Tag, payload: bytes) -> Signature:
    return sign(secret, tag, payload, bytes(32))


class Parley:
    """One take. After `run`, `taker_agreed` and `maker_agreed` say what each side holds to be
    signed by both; `faults` what an honest side should not have signed."""

    def __init__(
        self, setting: Setting, rng: Random, maker: Maker, offer: Offer, name: bytes,
        units: int, now: int, known: set[bytes], past: list[bytes],
    ) -> None:  # fmt: skip
        """`known` are the hashlocks that the maker has seen, `past` old messages to replay."""
        self.faults: list[str] = []
        self.taker_agreed: Terms | None = None
        self.maker_agreed: Terms | None = None
        self.lie = ""
        self._setting, self._rng, self._maker, self._offer = setting, rng, maker, offer
        self._units, self._known, self._past, self._name = units, known, past, name
        self._now = now
        self._taker_secret = rng.randbytes(32)
        self.preimage = rng.randbytes(32)
        side = Side(
            timing=setting.kind.timing,
            exposure=setting.kind.taker,
            pinned_i=_PINNED,
            pinned_p=_PINNED,
            stress_fee_rate_i=setting.least_units * 1000 // 2701,
            stress_fee_rate_p=setting.least_units * 1000 // 2701,
        )
        self._taker_side = side
        self._maker_side = msgspec.structs.replace(side, exposure=setting.kind.maker)
        dice = rng.random()
        self._rogue = "maker" if dice < 0.25 else "taker" if dice < 0.5 else ""
        if self._rogue:
            self.lie = rng.choice(MAKER_LIES if self._rogue == "maker" else TAKER_LIES)

    # --- the line ---

    def _arrivals(self, message: bytes) -> list[bytes]:
        """What comes out of the line when `message` goes in."""
        rng, found = self._rng, []
        self._past.append(message)
        if rng.random() < 0.3:
            found.append(rng.choice(self._past))
        if rng.random() < 0.3:
            damaged = bytearray(message)
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            found.append(bytes(damaged))
        if rng.random() < 0.95:
            found.append(message)
            self._now += rng.choice((0, 0, 1, 1, 2))
            if rng.random() < 0.02:
                self._now += rng.randint(20, 90)
        if rng.random() < 0.2:
            found.append(message)
        if rng.random() < 0.1:
            found.append(rng.randbytes(rng.randint(0, 60)))
        return found

    # --- the whole of it ---

    def run(self) -> None:
        """From the take to both signatures, or to nothing."""
        try:
            self._run()
        except RemoteProtocolError:
            return  # one side refused: nothing is agreed

    def _run(self) -> None:
        draft = taking.ask(
            self._offer, self._name, self._units, side=self._taker_side,
            taker=public_key(self._taker_secret), nonce=self._rng.randbytes(32), now=self._now,
        )  # fmt: skip
        asking, message = taking.asking(
            draft, _sign(self._taker_secret, Tag.TAKE, encode(draft.take))
        )
        asked = self._first(making.Listening(), message, making.Asked)
        if asked is None:
            return
        granted = making.grant(
            asked, offer=self._offer, offer_id=self._name, remaining=self._offer.maximum,
            side=self._maker_side, now=self._now,
        )  # fmt: skip
        reserved, answer = self._reserve(granted)
        offered = self._take_answer(asking, answer)
        if offered is None:
            return
        proposing, message = self._propose(offered)
        for data in self._arrivals(message):
            proposed = self._receive_as_maker(reserved, data)
            if proposed is not None:
                self._accept(proposed, proposing)
                return

    def _first(
        self, state: making.Listening, message: bytes, kind: type[making.Asked]
    ) -> making.Asked | None:
        for data in self._arrivals(message):
            try:
                got = making.receive(state, data, now=self._now)
            except RemoteProtocolError:
                continue
            if isinstance(got, kind) and got.take.taker == public_key(self._taker_secret):
                return got
        return None

    # --- the maker's end ---

    def _reserve(self, granted: making.Granted) -> tuple[making.Reserved, bytes]:
        maker = self._maker
        reserve = making.draft_reserve(
            granted, claim_key_i=_key("maker i"), refund_key_p=_key("maker p"), proof=_PROOF,
            now=self._now,
        )  # fmt: skip
        secret = maker.secret
        if self._rogue == "maker":
            reserve = self._crooked_reserve(reserve)
            if self.lie == "other signer":
                secret = hashlib.sha256(b"mallory").digest()
            payload = encode(reserve)
            message = encode(SignedReserve(payload, _sign(secret, Tag.RESERVE, payload)))
            return making.Reserved(granted, reserve), message
        return making.reserve(granted, reserve, _sign(secret, Tag.RESERVE, encode(reserve)))

    def _crooked_reserve(self, reserve: Reserve) -> Reserve:
        changes: dict[str, dict[str, object]] = {
            "depths": {"depth_i": reserve.depth_i, "depth_p": max(1, reserve.depth_p - 1)},
            "exposure": {"exposure": msgspec.structs.replace(reserve.exposure, offline=0, risk=2)},
            "fee": {"min_fee_rate_i": 10**9},
            "other swap": {"swap_id": bytes(32)},
            "keys": {"claim_key_i": reserve.refund_key_p},
            "late": {"valid_until": reserve.valid_until + 7200},
        }
        return msgspec.structs.replace(reserve, **changes.get(self.lie, {}))

    def _receive_as_maker(self, state: making.Reserved, data: bytes) -> making.Proposed | None:
        try:
            got = making.receive(state, data, now=self._now)
        except RemoteProtocolError:
            return None
        return got if isinstance(got, making.Proposed) else None

    def _accept(self, proposed: making.Proposed, proposing: taking.Proposing) -> None:
        terms = proposed.terms
        is_new = terms.hashlock not in self._known
        if self._rogue != "maker":
            making.check_acceptable(proposed, is_hashlock_new=is_new, now=self._now)
            self._judge_maker(terms)
            self._known.add(terms.hashlock)
        signature = _sign(self._maker.secret, Tag.TERMS, encode(terms))
        accepted, message = making.accept(proposed, signature)
        self.maker_agreed = accepted.terms
        if self.lie == "no terms":  # signs something else, by its own key or by another
            other = msgspec.structs.replace(terms, t0=terms.t0 + 1)
            forged = Accept(
                terms.swap_id,
                hashlib.sha256(encode(other)).digest(),
                _sign(self._maker.secret, Tag.TERMS, encode(other)),
            )
            message = encode(forged)
        stranger = _sign(hashlib.sha256(b"mallory").digest(), Tag.TERMS, encode(terms))
        relayed = encode(msgspec.structs.replace(_accept_of(message), signature=stranger))
        for data in (relayed, *self._arrivals(message)):
            try:
                got = taking.receive(proposing, data, now=self._now)
            except RemoteProtocolError:
                continue
            if isinstance(got, taking.Agreed) and self._rogue != "taker":
                if data != message:
                    self.faults.append("the taker agreed on what the maker did not sign")
                self._judge_taker(got.terms)
                self.taker_agreed = got.terms
                return

    def _judge_maker(self, terms: Terms) -> None:
        price = self._offer.price
        gets = -(-self._units * int(price.numerator) // int(price.denominator))
        ask = checks.Ask(
            self._units, gets, self._offer.depth_buy, frozenset((_key("maker i"), _key("maker p"))),
            public_key(self._taker_secret), self._now, SKEW[terms.timing],
        )  # fmt: skip
        i, p = terms.leg_i, terms.leg_p
        signed = checks.Signed(
            int(p.amount.units), int(i.amount.units), i.depth,
            frozenset((i.claim_key, p.refund_key)), terms.taker, terms.t0,
        )  # fmt: skip
        self.faults += checks.judge_signed(ask, signed, terms.hashlock, self._known)

    # --- the taker's end ---

    def _take_answer(self, asking: taking.Asking, message: bytes) -> taking.Offered | None:
        for data in self._arrivals(message):
            try:
                got = taking.receive(asking, data, now=self._now)
            except RemoteProtocolError:
                continue
            if isinstance(got, taking.Offered):
                if data != message and self._rogue != "maker":
                    self.faults.append("the taker took an answer that was given to another take")
                return got
        return None

    def _propose(self, offered: taking.Offered) -> tuple[taking.Proposing, bytes]:
        hashlock = hashlib.sha256(self.preimage).digest()
        part = TakerPart(_key("taker p"), _key("taker i"), hashlock, self._now)
        terms = taking.draft_terms(offered, part)
        if self._rogue != "taker":
            self._judge_taker(terms)
            signature = _sign(self._taker_secret, Tag.TERMS, encode(terms))
            return taking.propose(terms, signature, now=self._now)
        terms = self._crooked_terms(terms)
        secret = self._taker_secret
        if self.lie == "other signer":
            secret = hashlib.sha256(b"mallory").digest()
        payload = encode(terms)
        signature = _sign(secret, Tag.TERMS, payload)
        return taking.Proposing(terms, signature, self._now), encode(Propose(payload, signature))

    def _crooked_terms(self, terms: Terms) -> Terms:
        replace = msgspec.structs.replace
        i, p, lie = terms.leg_i, terms.leg_p, self.lie
        if lie == "gets more":
            amount = replace(p.amount, units=type(p.amount.units)(p.amount.units + 1))
            return replace(terms, leg_p=replace(p, amount=amount))
        if lie == "gives less":
            amount = replace(i.amount, units=type(i.amount.units)(i.amount.units - 1))
            return replace(terms, leg_i=replace(i, amount=amount))
        if lie == "expiry_i":
            return replace(terms, leg_i=replace(i, expiry=p.expiry - 1))
        if lie == "expiry_p":
            return replace(terms, leg_p=replace(p, expiry=i.expiry))
        if lie == "depth_i":
            return replace(terms, leg_i=replace(i, depth=1))
        if lie == "depth_p":
            return replace(terms, leg_p=replace(p, depth=p.depth + 5))
        if lie == "old hashlock" and self._known:
            return replace(terms, hashlock=min(self._known))
        if lie == "t0":
            return replace(terms, t0=terms.t0 - 40_000)
        if lie == "keys":
            return replace(terms, leg_i=replace(i, claim_key=_key("taker x")))
        if lie == "exposure":
            return replace(terms, exposure_p=replace(terms.exposure_p, offline=0))
        return terms

    def _judge_taker(self, terms: Terms) -> None:
        price = self._offer.price
        gives = -(-self._units * int(price.numerator) // int(price.denominator))
        ask = checks.Ask(
            gives, self._units, self._setting.depths[self._families_p],
            frozenset((_key("taker p"), _key("taker i"))), self._maker.key, self._now,
            SKEW[terms.timing],
        )  # fmt: skip
        i, p = terms.leg_i, terms.leg_p
        signed = checks.Signed(
            int(i.amount.units), int(p.amount.units), p.depth,
            frozenset((p.claim_key, i.refund_key)), terms.maker, terms.t0,
        )  # fmt: skip
        self.faults += checks.judge_signed(ask, signed, terms.hashlock, set())

    @property
    def _families_p(self) -> str:
        bitcoin = self._setting.params("bitcoin").asset_id
        return "bitcoin" if self._offer.sell == bitcoin else "litecoin"


def _accept_of(message: bytes) -> Accept:
    found = read(message)
    assert isinstance(found, Accept)
    return found
