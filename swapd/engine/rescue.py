"""Rescue without us: signs what `protocol.swap.rescue` plans, at several fee rates.

Owns: fee variants, signatures, and (only when asked for) private keys in the form that nodes
import. Must not know: nodes, adapters: it works while no node answers and no daemon runs.
"""

from collections.abc import Sequence

import wallycore
from msgspec import Struct

from protocol.bitcoin.address import script_of
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import ChainParams, params_by_chain
from protocol.bitcoin.signatures import witness_signature
from protocol.bitcoin.spends import claim_tx, claim_vsize, fee_for, refund_tx, refund_vsize
from protocol.bitcoin.tx import OutPoint, Transaction, TxInput
from protocol.evm.legs import claim_call, refund_call
from protocol.swap.agreement import Agreement
from protocol.swap.rescue import Way, What
from protocol.swap.states import Hidden, Learned, Revealed, SwapState
from protocol.terms import Kind, LegName, own_leg
from swapd.ports import Signer

RATES = (2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)
"""Base units per 1000 vbytes: from what is relayed on a quiet day to a day of panic."""

GREATEST_SHARE = 2
"""A variant pays at most one part in this of what it brings home."""

PLACEHOLDER = "<PREIMAGE>"
"""Stands in an open claim for the 64 digits of the preimage."""

WIF_VERSION = {"bitcoin": 0x80, "litecoin": 0xB0}
"""Of mainnets; all test networks have 0xef."""


class Signed(Struct, frozen=True):
    """A way, signed at one fee rate. `hex` is what nodes take (an open claim: with PLACEHOLDER)."""

    way: Way
    txid: str
    hex: str
    fee: int
    fee_rate: int
    vbytes: int


class HeldKey(Struct, frozen=True):
    """A private key of a swap: `descriptor` is the script's with it in place, and its checksum."""

    leg: LegName
    what: str
    public_key: bytes
    wif: str
    descriptor: str


def htlc_of(agreement: Agreement, leg: LegName) -> Htlc:
    """The script of one leg."""
    terms = agreement.terms.leg(leg)
    return Htlc(terms.claim_key, terms.refund_key, agreement.terms.hashlock, terms.expiry)


def preimage_of(signer: Signer, state: SwapState) -> bytes | None:
    """The preimage, where it is out already: learned, or its reveal journalled (rule 7)."""
    match state.secret:
        case Learned():
            return state.secret.preimage
        case Revealed():
            return signer.preimage(state.agreement.salt, state.agreement.swap_id)
        case _:
            return None


async def sign_all(
    signer: Signer, state: SwapState, ways: Sequence[Way], rates: Sequence[int] = RATES
) -> tuple[Signed, ...]:
    """Every way at every rate that it can bear; on chains with accounts nothing has to be signed
    (`call_of`). Raises BitcoinError, SigningError."""
    preimage = preimage_of(signer, state)
    found = [
        await _sign(signer, state.agreement, way, fee_rate, preimage)
        for way in ways
        if state.agreement.terms.leg(way.leg).kind is Kind.P2WSH
        for fee_rate in _bearable(state.agreement, way, rates)
    ]
    return tuple(found)


def _bearable(agreement: Agreement, way: Way, rates: Sequence[int]) -> list[int]:
    params, script = _place(agreement, way)
    vsize = refund_vsize(script) if way.what is What.REFUND else claim_vsize(script)
    most = min(way.units // GREATEST_SHARE, way.units - params.dust_limit(script))
    return [rate for rate in sorted(set(rates)) if fee_for(vsize, rate) <= most]


def _place(agreement: Agreement, way: Way) -> tuple[ChainParams, bytes]:
    params = params_by_chain(agreement.terms.leg(way.leg).chain)
    return params, script_of(params, way.destination)


def _outpoint(ref: str) -> OutPoint:
    txid, _, index = ref.partition(":")
    return OutPoint(bytes.fromhex(txid), int(index))


async def _sign(
    signer: Signer, agreement: Agreement, way: Way, fee_rate: int, preimage: bytes | None
) -> Signed:
    params, script = _place(agreement, way)
    htlc, outpoint = htlc_of(agreement, way.leg), _outpoint(way.ref)

    async def sign(digest: bytes) -> bytes:
        return await signer.sign_htlc(
            agreement.salt, agreement.role, agreement.swap_id, way.leg, digest
        )

    if way.what is What.REFUND:
        fee = fee_for(refund_vsize(script), fee_rate)
        refund = refund_tx(params, htlc, outpoint, amount=way.units, destination=script, fee=fee)
        done = refund.finish(await sign(refund.sighash))
        return Signed(way, done.txid.hex(), done.raw.hex(), fee, fee_rate, done.vsize)
    fee = fee_for(claim_vsize(script), fee_rate)
    claim = claim_tx(params, htlc, outpoint, amount=way.units, destination=script, fee=fee)
    signature = await sign(claim.sighash)
    if way.what is What.CLAIM and preimage is not None:
        done = claim.finish(signature, preimage)
        return Signed(way, done.txid.hex(), done.raw.hex(), fee, fee_rate, done.vsize)
    # The signature does not cover the witness: the preimage is put in where and when it is known.
    proof = witness_signature(htlc.claim_key, claim.sighash, signature)
    (given,) = claim.tx.inputs
    witness = (bytes(32), proof, htlc.witness_script())
    signed = TxInput(given.outpoint, given.sequence, b"", witness)
    tx = Transaction(claim.tx.version, (signed,), claim.tx.outputs, claim.tx.lock_time)
    before, zeros, after = tx.serialise().hex().rpartition("0320" + "00" * 32)
    if not zeros:
        message = "an open claim without a place for its preimage"
        raise BitcoinError(message)
    text = f"{before}0320{PLACEHOLDER}{after}"
    return Signed(way, tx.txid().hex(), text, fee, fee_rate, tx.vsize())


def call_of(state: SwapState, leg: LegName, preimage: bytes | None) -> str:
    """The data that brings the coins of a leg home, on a chain with accounts: our own after the
    expiry, theirs with the preimage, or PLACEHOLDER in its place where the other side may yet show
    it. Empty where there is none, or not yet."""
    terms = state.agreement.terms
    if terms.leg(leg).kind is not Kind.EVM:
        return ""
    if leg is own_leg(state.agreement.role):
        return f"0x{refund_call(terms.leg(leg), terms.hashlock).hex()}"
    if preimage is not None:
        return f"0x{claim_call(terms.leg(leg), terms.hashlock, preimage).hex()}"
    if isinstance(state.secret, Hidden):
        return ""
    opened = claim_call(terms.leg(leg), terms.hashlock, bytes(32))
    return f"0x{opened[:4].hex()}{PLACEHOLDER}{opened[36:].hex()}"


def held_keys(signer: Signer, agreement: Agreement) -> tuple[HeldKey, ...]:
    """Our private keys of a swap, for the operator's explicit request only: who has them can take
    what they can take."""
    found = []
    for leg in LegName:
        if agreement.terms.leg(leg).kind is not Kind.P2WSH:
            continue  # accounts are not keys of one swap
        what = "refund" if leg is own_leg(agreement.role) else "claim"
        secret = signer.htlc_secret(agreement.salt, agreement.role, agreement.swap_id, leg)
        public = signer.htlc_key(agreement.salt, agreement.role, agreement.swap_id, leg)
        wif = wif_of(params_by_chain(agreement.terms.leg(leg).chain), secret)
        bare = htlc_of(agreement, leg).descriptor().partition("#")[0].replace(public.hex(), wif)
        found.append(HeldKey(leg, what, public, wif, f"{bare}#{_checksum(bare)}"))
    return tuple(found)


def wif_of(params: ChainParams, secret: bytes) -> str:
    """The wallet import format of the key of a compressed public key."""
    version = 0xEF if params.is_test else WIF_VERSION[params.name]
    return wallycore.wif_from_bytes(secret, version, wallycore.WALLY_WIF_FLAG_COMPRESSED)


def _checksum(descriptor: str) -> str:
    parsed = wallycore.descriptor_parse(descriptor, None, wallycore.WALLY_NETWORK_NONE, 0)
    return wallycore.descriptor_get_checksum(parsed, 0)


def command_of(params: ChainParams, arguments: str) -> str:
    """What to type where the node runs."""
    client = {"bitcoin": "bitcoin-cli", "litecoin": "litecoin-cli"}[params.name]
    flag = {"mainnet": "", "testnet3": " -testnet", "testnet": " -testnet"}.get(
        params.network, f" -{params.network}"
    )
    return f"{client}{flag} {arguments}"
