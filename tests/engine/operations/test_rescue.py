"""swap.rescue: what it prints brings the coins home, with nobody but a node to send it to."""

import hashlib

import msgspec
import wallycore
from trio.testing import MockClock

from protocol.bitcoin.htlc import parse_witness_script
from protocol.bitcoin.tx import parse_tx
from protocol.swap.agreement import Agreement
from protocol.swap.states import Hidden, Killing, Learned, Released, Revealed
from protocol.terms import LegName
from swapd.api import calls
from swapd.ports import Broadcast
from tests.engine.operations.stage import desk
from tests.engine.swaps.stage import GET, PAY, Party, Stage, times_of


async def rescue(party: Party, swap: Agreement, *, keys: bool = False) -> calls.SwapRescueResult:
    """What a party's daemon prints."""
    params = calls.SwapRescueParams(swap_id=swap.swap_id.hex(), keys=keys)
    return await desk(party).operations.swap_rescue(params)


async def until_both_locked(stage: Stage) -> Agreement:
    """Both locks are in a block; the taker has not revealed."""
    swap = await stage.agree()
    for _ in range(3):
        await stage.block()
    assert isinstance(stage.taker.state(swap.swap_id).secret, Hidden)
    return swap


def pass_time_to(stage: Stage, leg: LegName, when: int) -> None:
    """Blocks of nobody, until median time past of a chain is beyond `when`."""
    while stage.ledger(leg).median_time <= when:
        stage.clock.advance(10)
        stage.ledger(leg).mine(only=())


def of(found: calls.SwapRescueResult, what: str) -> list[calls.RescueTx]:
    return [tx for tx in found.transactions if tx.what == what]


def arrives(tx: calls.RescueTx) -> int:
    """Base units that a transaction brings."""
    assert tx.arrives is not None
    return int(tx.arrives.units)


async def test_a_refund_that_was_printed_is_taken_once_median_time_is_beyond_its_lock_time(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await until_both_locked(stage)
        printed = [
            (p, leg, await rescue(p, swap)) for p, leg in zip(stage.parties(), LegName, strict=True)
        ]
    for party, leg, found in reversed(printed):
        refunds = of(found, "refund")
        rates = [tx.fee_rate for tx in refunds]
        assert len(refunds) >= 5
        assert rates == sorted(set(rates))
        assert {tx.valid_from for tx in refunds} == {swap.terms.leg(leg).expiry}
        assert {tx.likely_from - tx.valid_from for tx in refunds} == {60}  # six blocks of 10 s
        pass_time_to(stage, leg, swap.terms.leg(leg).expiry - 20)
        early = stage.ledger(leg).submit(bytes.fromhex(refunds[0].raw))
        assert (early.outcome, early.reason) == (Broadcast.REJECTED, "non-final")
        pass_time_to(stage, leg, swap.terms.leg(leg).expiry)
        chosen = refunds[3]
        assert stage.ledger(leg).submit(bytes.fromhex(chosen.raw)).outcome is Broadcast.ACCEPTED
        assert parse_tx(bytes.fromhex(chosen.raw)).txid().hex() == chosen.txid
        stage.ledger(leg).mine()
        amount = PAY if leg is LegName.I else GET
        assert chosen.fee is not None
        assert party.payout(leg) == arrives(chosen) == amount - int(chosen.fee.units)


async def test_commands_name_the_program_and_the_network(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await until_both_locked(stage)
        taken, made = await rescue(stage.taker, swap), await rescue(stage.maker, swap)
    first = of(taken, "refund")[0]
    assert first.command == f"bitcoin-cli -regtest sendrawtransaction {first.raw}"
    first = of(made, "refund")[0]
    assert first.command == f"litecoin-cli -regtest sendrawtransaction {first.raw}"


async def test_the_preimage_is_never_shown_before_its_reveal_is_journalled(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await until_both_locked(stage)
        found = await rescue(stage.taker, swap, keys=True)
        assert stage.taker.signer.revealed == []
        assert found.preimage is None
        assert of(found, "claim") == of(found, "claim_without_preimage") == []
        preimage = stage.taker.signer._preimage(swap.salt, swap.swap_id)
        assert preimage.hex() not in msgspec.json.encode(found).decode()

        stage.idle = {LegName.P}  # the claim stays in the mempool
        for _ in range(2):
            await stage.block()
        assert isinstance(stage.taker.state(swap.swap_id).secret, Revealed)
        found = await rescue(stage.taker, swap, keys=True)
        assert found.preimage == preimage.hex()
        assert (await rescue(stage.taker, swap)).preimage is None, "only when asked for"
        claims = of(found, "claim")
        assert claims
        assert all(preimage.hex() in tx.raw for tx in claims)
        assert {tx.useful_until for tx in claims} == {times_of(swap).expiry_p}
        sent = stage.taker.state(swap.swap_id).claim
        assert sent is not None
        stage.ltc.drop(sent.txid)
        dearest = stage.ltc.submit(bytes.fromhex(claims[-1].raw))
        assert dearest.outcome is Broadcast.ACCEPTED
        stage.idle = set()
    stage.ltc.mine()
    assert stage.taker.payout(LegName.P) == arrives(claims[-1])


async def test_a_maker_whose_daemon_dies_before_the_reveal_claims_with_what_the_chain_shows(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await until_both_locked(stage)
        found = await rescue(stage.maker, swap)
        stage.maker.scope.cancel()
        for _ in range(4):
            await stage.block()
    assert stage.taker.payout(LegName.P) > 0, "the taker has claimed, the maker is gone"
    claim = next(
        tx
        for block in stage.ltc.blocks
        for tx in block.txs
        if any(len(txin.witness) == 3 and txin.witness[0] for txin in tx.inputs)
    )
    preimage = claim.inputs[0].witness[0]
    assert hashlib.sha256(preimage).digest() == swap.terms.hashlock
    open_claims = of(found, "claim_without_preimage")
    text = open_claims[3].raw
    assert text.count("<PREIMAGE>") == 1
    whole = bytes.fromhex(text.replace("<PREIMAGE>", preimage.hex()))
    assert stage.btc.submit(whole).outcome is Broadcast.ACCEPTED
    assert parse_tx(whole).txid().hex() == open_claims[3].txid
    stage.btc.mine()
    assert stage.maker.payout(LegName.I) == arrives(open_claims[3])


async def test_keys_come_only_when_asked_for_and_open_the_printed_script(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await until_both_locked(stage)
        without, found = await rescue(stage.maker, swap), await rescue(stage.maker, swap, keys=True)
    assert without.keys == ()
    scripts = {leg.name: parse_witness_script(bytes.fromhex(leg.script)) for leg in found.legs}
    assert [(key.leg, key.what) for key in found.keys] == [("i", "claim"), ("p", "refund")]
    for key in found.keys:
        secret = wallycore.wif_to_bytes(key.wif, 0xEF, wallycore.WALLY_WIF_FLAG_COMPRESSED)
        public = bytes(wallycore.ec_public_key_from_private_key(bytes(secret)))
        script = scripts[key.leg]
        assert public == (script.claim_key if key.what == "claim" else script.refund_key)
    assert found.keys[0].wif in found.keys[0].descriptor
    assert found.keys[1].descriptor == "", "litecoind knows no miniscript"


async def test_only_the_bitcoin_leg_has_a_descriptor_and_the_other_says_why_not(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await until_both_locked(stage)
        found = await rescue(stage.taker, swap)
    legs = {leg.ticker: leg for leg in found.legs}
    terms = swap.terms.leg_i
    assert legs["BTC"].descriptor.startswith(
        f"wsh(andor(pk({terms.claim_key.hex()}),sha256({swap.terms.hashlock.hex()}),"
        f"and_v(v:pk({terms.refund_key.hex()}),after({terms.expiry}))))#"
    )
    assert legs["LTC"].descriptor == ""
    assert "no miniscript" in legs["LTC"].descriptor_note


async def test_a_swap_that_ended_has_nothing_to_rescue_and_says_so(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(15, swap)
        found = await rescue(stage.taker, swap)
    assert found.transactions == ()
    assert "completed" in found.notes[0]


async def test_a_lock_that_is_being_killed_comes_with_its_kill_and_a_refund_for_each_version(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await stage.agree()
        stage.idle = {LegName.I}
        for _ in range(5):
            await stage.block()
        state = stage.taker.state(swap.swap_id)
        assert isinstance(state.own, Killing)
        assert state.own.kill is not None
        found = await rescue(stage.taker, swap)
    (kill,) = of(found, "kill")
    assert kill.raw == state.own.kill.raw.hex()
    assert {tx.spends for tx in of(found, "refund")} == set(state.own.lock.refs)


async def test_a_learned_preimage_turns_the_open_claim_into_a_whole_one(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await until_both_locked(stage)
        stage.idle = {LegName.I}  # our own claim is not mined
        for _ in range(2):
            await stage.block()
        assert isinstance(stage.maker.state(swap.swap_id).secret, Learned)
        found = await rescue(stage.maker, swap)
    assert of(found, "claim_without_preimage") == []
    claims = of(found, "claim")
    assert claims
    assert {tx.useful_until for tx in claims} == {times_of(swap).claim_deadline}


async def test_a_bumped_lock_comes_with_a_refund_for_each_version_until_one_is_final(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        stage.idle = {LegName.I}
        swap = await stage.agree()
        stage.taker.btc.fee_next = 20_000
        await stage.block()
        own = stage.taker.state(swap.swap_id).own
        assert isinstance(own, Released)
        assert len(own.lock.refs) == 2
        found = await rescue(stage.taker, swap)
        assert {tx.spends for tx in of(found, "refund")} == set(own.lock.refs)
        assert any("several versions" in note for note in found.notes)
        stage.idle = set()
        for _ in range(2):
            await stage.block()
        found = await rescue(stage.taker, swap)
    assert {tx.spends for tx in of(found, "refund")} == {own.lock.tx.ref}
