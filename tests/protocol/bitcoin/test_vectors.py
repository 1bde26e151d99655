"""Every vector file of the bitcoind family, read and run. Each file says where it comes from."""

import json
from typing import Any

import pytest

from protocol.bitcoin import address, funds, htlc, params, spend_view, spends, tx
from protocol.bitcoin.errors import (
    AddressError,
    HtlcError,
    ProofOfFundsError,
    SignatureError,
    SpendError,
    TransactionError,
)
from tests.protocol.bitcoin import make_vectors
from tests.protocol.bitcoin.tools import REGTEST, btclib_accepts

Json = dict[str, Any]


def load(name: str) -> Json:
    vectors: Json = json.loads((make_vectors.FOLDER / f"bitcoin_{name}.json").read_text())
    assert vectors["source"]
    return vectors


def lock_of(case: Json) -> htlc.Htlc:
    return htlc.Htlc(
        bytes.fromhex(case["claim_key"]),
        bytes.fromhex(case["refund_key"]),
        bytes.fromhex(case["hashlock"]),
        case["expiry"],
    )


def outpoint_of(case: Json) -> tx.OutPoint:
    return tx.OutPoint.of(case["txid"], case["vout"])


def outputs_of(case: Json) -> tuple[tx.TxOutput, ...]:
    return tuple(
        tx.TxOutput(bytes.fromhex(output["script"]), output["amount"]) for output in case["outputs"]
    )


def case_id(case: Any) -> str:
    if isinstance(case, dict):
        return str(case.get("why") or case.get("name") or case.get("what") or case.get("address"))
    return str(case)


def test_the_generated_files_are_what_the_generator_prints() -> None:
    for name, text in make_vectors.files().items():
        assert (make_vectors.FOLDER / name).read_text() == text, f"{name}: run make_vectors again"


@pytest.mark.parametrize("case", load("chains")["chains"], ids=lambda c: c["chain_id"])
def test_a_chain_has_the_parameters_of_its_node(case: Json) -> None:
    chain = params.params_by_chain(case["chain_id"])
    assert {key: getattr(chain, key) for key in case} == case
    assert params.params_for(case["name"], case["network"]) is chain


def test_the_table_holds_exactly_the_chains_of_the_vectors() -> None:
    assert [c.chain_id for c in params.ALL_CHAINS] == [
        case["chain_id"] for case in load("chains")["chains"]
    ]


@pytest.mark.parametrize("case", load("chains")["rewards"], ids=str)
def test_a_block_reward_follows_the_halvings(case: Json) -> None:
    assert params.params_by_chain(case["chain_id"]).block_reward(case["height"]) == case["reward"]


@pytest.mark.parametrize("case", load("chains")["dust"], ids=str)
def test_the_dust_limit_is_what_the_node_relays(case: Json) -> None:
    chain = params.params_by_chain(case["chain_id"])
    assert chain.dust_limit(bytes.fromhex(case["script"])) == case["limit"]


@pytest.mark.parametrize("case", load("addresses")["valid"], ids=case_id)
def test_an_address_reads_and_prints(case: Json) -> None:
    chain = params.params_by_chain(case["chain_id"])
    script = bytes.fromhex(case["script"])
    assert address.script_of(chain, case["address"]) == script
    assert address.address_of(chain, script).lower() == case["address"].lower()


@pytest.mark.parametrize("case", load("addresses")["refused"], ids=case_id)
def test_a_wrong_address_is_refused_and_says_why(case: Json) -> None:
    with pytest.raises(AddressError) as caught:
        address.script_of(params.params_by_chain(case["chain_id"]), case["address"])
    assert case.get("says", "") in str(caught.value)


@pytest.mark.parametrize("case", load("transactions")["valid"], ids=case_id)
def test_a_transaction_parses(case: Json) -> None:
    parsed = tx.parse_tx_hex(case["raw"])
    assert parsed.txid().hex() == case["txid"]
    assert (parsed.version, parsed.lock_time) == (case["version"], case["lock_time"])
    assert len(parsed.inputs) == case["inputs"]
    assert parsed.outputs == outputs_of(case)
    assert parsed.is_coinbase is case["coinbase"]
    assert parsed.mweb.value == case["mweb"]
    assert parsed.is_hogex is (case["mweb"] == "hogex")
    if "vsize" in case:
        assert (parsed.vsize(), parsed.weight()) == (case["vsize"], case["weight"])
        assert parsed.wtxid().hex() == case["wtxid"]
    if case["mweb"] == "none":
        assert parsed.serialise().hex() == case["raw"]
    else:
        with pytest.raises(TransactionError, match="MWEB"):
            parsed.serialise()


@pytest.mark.parametrize("case", load("transactions")["refused"], ids=case_id)
def test_bytes_that_are_no_transaction_are_refused(case: Json) -> None:
    with pytest.raises(TransactionError):
        tx.parse_tx(bytes.fromhex(case["raw"]))


@pytest.mark.parametrize("case", load("sighashes")["v0"], ids=case_id)
def test_a_segwit_hash_is_that_of_bip143(case: Json) -> None:
    parsed = tx.parse_tx_hex(case["raw"])
    code = bytes.fromhex(case["script_code"])
    digest = tx.sighash_v0(parsed, case["index"], code, case["amount"], case["kind"])
    assert digest.hex() == case["sighash"]


@pytest.mark.parametrize("case", load("sighashes")["v1"]["inputs"], ids=str)
def test_a_taproot_hash_is_that_of_bip341(case: Json) -> None:
    vectors = load("sighashes")["v1"]
    prevouts = outputs_of({"outputs": vectors["prevouts"]})
    parsed = tx.parse_tx_hex(vectors["raw"])
    assert tx.sighash_v1(parsed, case["index"], prevouts, case["kind"]).hex() == case["sighash"]


@pytest.mark.parametrize("case", load("htlc")["valid"], ids=lambda c: str(c["expiry"]))
def test_an_htlc_compiles_to_the_script_of_the_vectors(case: Json) -> None:
    lock = lock_of(case)
    assert lock.witness_script().hex() == case["witness_script"]
    assert lock.script_pubkey().hex() == case["script_pubkey"]
    assert lock.descriptor() == case["descriptor"]
    for chain_id, text in case["addresses"].items():
        assert lock.address(params.params_by_chain(chain_id)) == text
    assert htlc.parse_witness_script(bytes.fromhex(case["witness_script"])) == lock


@pytest.mark.parametrize("case", load("htlc")["refused_terms"], ids=case_id)
def test_an_htlc_of_illegal_terms_is_refused(case: Json) -> None:
    with pytest.raises(HtlcError):
        lock_of(case)


@pytest.mark.parametrize("case", load("htlc")["foreign_scripts"], ids=case_id)
def test_a_script_that_is_not_ours_is_refused(case: Json) -> None:
    with pytest.raises(HtlcError):
        htlc.parse_witness_script(bytes.fromhex(case["script"]))


@pytest.mark.parametrize("case", load("locks")["locks"], ids=case_id)
def test_a_lock_is_verified_or_refused_by_name(case: Json) -> None:
    vectors = load("locks")
    lock, amount = lock_of(vectors["htlc"]), vectors["amount"]
    view = htlc.verify_lock_tx(tx.parse_tx_hex(case["raw"]), case["vout"], lock, amount)
    match view:
        case htlc.LockVerified():
            assert (case["verdict"], view.amount) == ("verified", amount)
        case htlc.LockRefused():
            assert view.reason.value == case["verdict"]


def unsigned_claim(case: Json) -> spends.UnsignedClaim:
    return spends.claim_tx(
        REGTEST,
        lock_of(case["htlc"]),
        outpoint_of(case["outpoint"]),
        amount=case["amount"],
        destination=bytes.fromhex(case["destination"]),
        fee=case["fee"],
    )


def unsigned_refund(case: Json) -> spends.UnsignedRefund:
    return spends.refund_tx(
        REGTEST,
        lock_of(case["htlc"]),
        outpoint_of(case["outpoint"]),
        amount=case["amount"],
        destination=bytes.fromhex(case["destination"]),
        fee=case["fee"],
    )


@pytest.mark.parametrize("case", load("spends")["claims"], ids=lambda c: c["txid"][:8])
def test_a_claim_is_built_hashed_and_finished_as_in_the_vectors(case: Json) -> None:
    claim = unsigned_claim(case)
    assert claim.tx.serialise().hex() == case["unsigned"]
    assert claim.sighash.hex() == case["sighash"]
    done = claim.finish(bytes.fromhex(case["signature"]), bytes.fromhex(case["preimage"]))
    assert (done.raw.hex(), done.txid.hex()) == (case["raw"], case["txid"])
    assert (done.vsize, done.fee) == (case["vsize"], case["fee"])


@pytest.mark.parametrize("case", load("spends")["claims"], ids=lambda c: c["txid"][:8])
def test_a_claim_is_not_finished_with_a_bad_signature_or_preimage(case: Json) -> None:
    claim = unsigned_claim(case)
    good, preimage = bytes.fromhex(case["signature"]), bytes.fromhex(case["preimage"])
    for bad in case["refused_signatures"]:
        with pytest.raises(SignatureError):
            claim.finish(bytes.fromhex(bad["signature"]), preimage)
    for text in case["refused_preimages"]:
        with pytest.raises(SpendError, match="preimage"):
            claim.finish(good, bytes.fromhex(text))


@pytest.mark.parametrize("case", load("spends")["refunds"], ids=lambda c: c["txid"][:8])
def test_a_refund_is_built_hashed_and_finished_as_in_the_vectors(case: Json) -> None:
    refund = unsigned_refund(case)
    assert refund.tx.serialise().hex() == case["unsigned"]
    assert refund.tx.lock_time == case["htlc"]["expiry"]
    assert refund.sighash.hex() == case["sighash"]
    done = refund.finish(bytes.fromhex(case["signature"]))
    assert (done.raw.hex(), done.txid.hex()) == (case["raw"], case["txid"])
    assert (done.vsize, done.fee) == (case["vsize"], case["fee"])
    for bad in case["refused_signatures"]:
        with pytest.raises(SignatureError):
            refund.finish(bytes.fromhex(bad["signature"]))


@pytest.mark.parametrize("case", load("spends")["rejected"], ids=case_id)
def test_what_the_vectors_call_rejected_no_chain_accepts(case: Json) -> None:
    prevout = tx.TxOutput(bytes.fromhex(case["script_pubkey"]), case["amount"])
    assert not btclib_accepts(bytes.fromhex(case["raw"]), prevout)


@pytest.mark.parametrize("case", load("spend_views")["views"], ids=case_id)
def test_a_spend_of_a_lock_is_seen_for_what_it_is(case: Json) -> None:
    spent = tx.parse_tx_hex(case["raw"])
    view = spend_view.classify_spend(lock_of(case["htlc"]), spent, outpoint_of(case["outpoint"]))
    match case["view"]:
        case "claim":
            assert view == spend_view.SpentByClaim(bytes.fromhex(case["preimage"]))
        case "refund":
            assert view == spend_view.SpentByRefund()
        case "unknown":
            assert isinstance(view, spend_view.SpentUnknown)
        case _:
            assert case["view"] is None
            assert view is None


@pytest.mark.parametrize("case", load("proofs_of_funds")["valid"], ids=case_id)
def test_a_proof_of_funds_signed_by_a_real_wallet_verifies(case: Json) -> None:
    challenge, raw = bytes.fromhex(case["challenge"]), bytes.fromhex(case["raw"])
    coins = [
        spends.Coin(outpoint_of(coin), bytes.fromhex(coin["script"]), coin["amount"])
        for coin in case["coins"]
    ]
    assert funds.challenge_outpoint(challenge) == tx.OutPoint.of(case["first_txid"], 0)
    assert funds.proof_outpoints(challenge, raw) == tuple(coin.outpoint for coin in coins)
    assert funds.verify_proof(challenge, raw, coins) == case["total"]


@pytest.mark.parametrize("case", load("proofs_of_funds")["refused"], ids=case_id)
def test_a_proof_of_funds_that_proves_nothing_is_refused(case: Json) -> None:
    coins = [
        spends.Coin(outpoint_of(coin), bytes.fromhex(coin["script"]), coin["amount"])
        for coin in case["coins"]
    ]
    with pytest.raises(ProofOfFundsError):
        funds.verify_proof(bytes.fromhex(case["challenge"]), bytes.fromhex(case["raw"]), coins)
