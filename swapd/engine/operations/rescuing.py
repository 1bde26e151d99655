"""A rescue as the value that operators get: from the running daemon, or from its files alone.

Owns: that translation. Must not know: sockets, terminals, nodes.
"""

from collections.abc import Sequence

from protocol.assets import AssetId
from protocol.bitcoin.params import params_by_chain
from protocol.evm.legs import slot_of
from protocol.kinds import fee_asset_of
from protocol.swap import reading
from protocol.swap.explain import phase_of
from protocol.swap.places import place_of
from protocol.swap.rescue import Plan, Ready, plan
from protocol.swap.states import SwapState, Unknown
from protocol.terms import Kind, LegName, LegTerms, other_leg, own_leg
from swapd.api import calls
from swapd.api.amounts import AssetTable
from swapd.api.values import SwapPhase
from swapd.engine.addresses import addresses_in
from swapd.engine.rescue import (
    PLACEHOLDER,
    RATES,
    Signed,
    call_of,
    command_of,
    held_keys,
    htlc_of,
    preimage_of,
    sign_all,
)
from swapd.ports import Signer, Store

_KNOWS_MINISCRIPT = "for wallets of Bitcoin Core or Knots 25 and newer"
_NO_MINISCRIPT = "Litecoin Core 0.21 knows no miniscript: only the transactions and the script help"

_TAKE_BACK = """\
After the expiry anybody can send this data to the address above, from any account that pays the \
gas, for example with `cast send`: the coins go back to the account that locked them."""

_TAKE = """\
Anybody can send this data to the address above, from any account that pays the gas: the coins go \
to the agreed account. It shows the preimage."""

_TAKE_LATER = """\
Once the other side's claim has shown the preimage, put its 64 digits in place of <PREIMAGE>. Then \
anybody can send this data to the address above, from any account that pays the gas: the coins go \
to the agreed account."""

_SHOWN_IN_SLOT = """\
When the other side has claimed our lock, slot {slot} of the contract {contract} holds the \
preimage with its highest bit cleared (`eth_getStorageAt`, `cast storage`): of that value and the \
same with the bit set, the one whose SHA-256 is {hashlock}."""

_NOT_YET = "Nothing can claim this leg before the preimage is known."

_ONE_OF_MANY = """\
Of the variants of one transaction only one can be mined. On Bitcoin a dearer one replaces a \
cheaper one that hangs; most Litecoin nodes keep what they saw first: choose well there."""

_PAYS_TO_SEED = """\
Addresses with a path below belong to your seed: any wallet that restores the 24 words finds them \
there, and so does a new swapd."""


async def rescue(
    store: Store,
    signer: Signer,
    assets: AssetTable,
    state: SwapState,
    *,
    keys: bool,
    fee_rates: Sequence[int],
    now: int,
) -> calls.SwapRescueResult:
    """Everything to get the coins of one swap back by hand. Raises BitcoinError, StoreError."""
    found = plan(state)
    signed = await sign_all(signer, state, found.ways, (*RATES, *fee_rates))
    legs = (own_leg(state.agreement.role), other_leg(state.agreement.role))
    preimage = preimage_of(signer, state) if keys else None
    return calls.SwapRescueResult(
        swap_id=state.agreement.swap_id.hex(),
        role=state.agreement.role.value,
        phase=SwapPhase(phase_of(state).value),
        now=now,
        notes=(*found.notes, *_notes(found), *_where_shown(state)),
        legs=tuple(_leg(assets, state, leg, preimage_of(signer, state)) for leg in legs),
        transactions=(
            *(_signed_tx(assets, state, tx) for tx in signed),
            *(_ready_tx(assets, state, tx) for tx in found.ready if tx.raw),
        ),
        payouts=await _payouts(store, assets, state, legs),
        keys=_keys(signer, state) if keys else (),
        preimage=preimage.hex() if preimage is not None else None,
    )


def _notes(found: Plan) -> list[str]:
    return [_ONE_OF_MANY, _PAYS_TO_SEED] if found.ways else []


def _where_shown(state: SwapState) -> list[str]:
    """Where a participant reads the preimage, on a chain with accounts."""
    own, terms = state.agreement.own, state.agreement.terms
    if own.kind is not Kind.EVM or not isinstance(state.secret, Unknown):
        return []
    place = place_of(own, terms.hashlock)
    slot, hashlock = f"0x{slot_of(own).hex()}", terms.hashlock.hex()
    return [_SHOWN_IN_SLOT.format(slot=slot, contract=place.address, hashlock=hashlock)]


def _leg(
    assets: AssetTable, state: SwapState, name: LegName, preimage: bytes | None
) -> calls.RescueLeg:
    leg = state.agreement.terms.leg(name)
    place = place_of(leg, state.agreement.terms.hashlock)
    ours = name is own_leg(state.agreement.role)
    lock = reading.own_lock(state) if ours else reading.their_lock(state)
    refs = reading.own_refs(state) if ours else (state.bound,)
    descriptor, note = _descriptor(state, name, preimage)
    return calls.RescueLeg(
        name=name.value,
        ours=ours,
        chain=leg.chain,
        ticker=assets.find(leg.amount.asset).ticker,
        amount=assets.view(leg.amount),
        outpoints=tuple(ref for ref in ((lock.ref,) if lock else refs) if ref),
        script_address=place.address,
        script=place.script,
        expiry=leg.expiry,
        descriptor=descriptor,
        descriptor_note=note,
    )


def _descriptor(state: SwapState, name: LegName, preimage: bytes | None) -> tuple[str, str]:
    """How other tools can spend a leg, and what to know of it."""
    leg = state.agreement.terms.leg(name)
    if leg.kind is Kind.EVM:
        call = call_of(state, name, preimage)
        if name is own_leg(state.agreement.role):
            return call, _TAKE_BACK
        if PLACEHOLDER in call:
            return call, _TAKE_LATER
        return (call, _TAKE) if call else ("", _NOT_YET)
    if params_by_chain(leg.chain).name == "bitcoin":
        return htlc_of(state.agreement, name).descriptor(), _KNOWS_MINISCRIPT
    return "", _NO_MINISCRIPT


def _signed_tx(assets: AssetTable, state: SwapState, tx: Signed) -> calls.RescueTx:
    way = tx.way
    asset = state.agreement.terms.leg(way.leg).amount.asset
    params = params_by_chain(state.agreement.terms.leg(way.leg).chain)
    return calls.RescueTx(
        what=way.what.value,
        leg=way.leg.value,
        ticker=params.ticker,
        spends=way.ref,
        txid=tx.txid,
        fee=assets.view_units(asset, tx.fee),
        fee_rate=tx.fee_rate,
        vbytes=tx.vbytes,
        pays_to=way.destination,
        arrives=assets.view_units(asset, way.units - tx.fee),
        valid_from=way.valid_from,
        likely_from=way.likely_from,
        useful_until=way.useful_until,
        raw=tx.hex,
        command=command_of(params, f"sendrawtransaction {tx.hex}"),
    )


def _ready_tx(assets: AssetTable, state: SwapState, tx: Ready) -> calls.RescueTx:
    leg = state.agreement.terms.leg(tx.leg)
    return calls.RescueTx(
        what=tx.what.value,
        leg=tx.leg.value,
        ticker=assets.find(leg.amount.asset).ticker,
        spends="",
        txid=tx.txid,
        fee=assets.view_units(fee_asset_of(leg.amount.asset), tx.fee) if tx.fee else None,
        fee_rate=tx.fee_rate,
        vbytes=0,
        pays_to="",
        arrives=None,
        valid_from=0,
        likely_from=0,
        useful_until=0,
        raw=tx.raw.hex(),
        command=_command(leg, tx.raw.hex()),
    )


def _command(leg: LegTerms, raw: str) -> str:
    if leg.kind is Kind.EVM:
        return f"cast publish 0x{raw}"
    return command_of(params_by_chain(leg.chain), f"sendrawtransaction {raw}")


async def _payouts(
    store: Store, assets: AssetTable, state: SwapState, legs: Sequence[LegName]
) -> tuple[calls.RescuePayout, ...]:
    agreement = state.agreement
    found = []
    for leg, address in zip(
        legs, (agreement.refund_destination, agreement.destination), strict=True
    ):
        asset = AssetId(agreement.terms.leg(leg).amount.asset)
        index = (await addresses_in(store, asset)).get(address)
        coin = asset.rpartition(":")[2]
        found.append(
            calls.RescuePayout(
                ticker=assets.find(asset).ticker,
                address=address,
                path="" if index is None else f"m/84'/{coin}'/0'/0/{index}",
            )
        )
    return tuple(found)


def _keys(signer: Signer, state: SwapState) -> tuple[calls.RescueKey, ...]:
    found = []
    for key in held_keys(signer, state.agreement):
        params = params_by_chain(state.agreement.terms.leg(key.leg).chain)
        found.append(
            calls.RescueKey(
                leg=key.leg.value,
                ticker=params.ticker,
                what=key.what,
                public_key=key.public_key.hex(),
                wif=key.wif,
                descriptor=key.descriptor if params.name == "bitcoin" else "",
            )
        )
    return tuple(found)
