"""Coins come home with bitcoin-cli and litecoin-cli alone: the daemons are dead, one is deleted."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess
from tests.functional.test_vanishing import begin, deadline, leg_reaches
from tests.nodes.plain import Shell, shell
from tests.nodes.world import CHAINS

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]


async def run(command: list[str]) -> str:
    """What a program prints."""
    return (await trio.run_process(command, capture_stdout=True)).stdout.decode()


async def printed(daemon: SwapdProcess, swap_id: str, *more: str) -> dict[str, Any]:
    """`swap-cli swap rescue` of a running daemon."""
    command = [sys.executable, "-m", "swapd.cli", "--socket", str(daemon.socket)]
    told: dict[str, Any] = json.loads(
        await run([*command, "swap", "rescue", swap_id[:10], "--json", *more])
    )
    return told


async def offline(daemon: SwapdProcess, swap_id: str) -> dict[str, Any]:
    """`swapd rescue` where no daemon runs."""
    told: dict[str, Any] = json.loads(
        await run([*daemon.command("rescue"), "--json", swap_id[:10]])
    )
    return told


def of(told: dict[str, Any], what: str) -> list[dict[str, Any]]:
    return [tx for tx in told["transactions"] if tx["what"] == what]


def prompt(fleet: Fleet, name: str, folder: Path) -> Shell:
    """Where a party types."""
    return shell(folder / name, {chain: fleet.world[name].node(chain) for chain in CHAINS})


async def arrived(typed: Shell, client: str, tx: dict[str, Any]) -> None:
    """The transaction is in a block, and its one output at the address that was printed."""
    out = json.loads(typed.type(f"{client} -regtest gettxout {tx['txid']} 0 false"))
    assert out["confirmations"] >= 1
    script = out["scriptPubKey"]
    assert tx["pays_to"] in (script.get("address"), *script.get("addresses", ()))
    units = round(float(out["value"]) * 10**8)
    assert units == int(tx["arrives"]["units"])


async def test_printed_refunds_bring_both_sides_coins_home_with_no_daemon_left(
    fleet: Fleet, tmp_path: Path
) -> None:
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "taker", swap_id, "p", "confirmed")
    swap = await fleet.swap("maker", swap_id)
    made = await printed(fleet["maker"], swap_id)
    await fleet["maker"].kill()
    await fleet["taker"].kill()
    shutil.rmtree(fleet["maker"].folder)  # as if it had never been
    taken = await offline(fleet["taker"], swap_id)

    typed = prompt(fleet, "maker", tmp_path)
    chosen = of(made, "refund")[2]
    assert "non-final" in typed.refuses(chosen["command"])
    await fleet.pass_blocks_to(deadline(swap, "expiry_p") + 70)
    assert typed.type(chosen["command"]) == chosen["txid"]
    await fleet.relay_transactions()
    await fleet.world.pass_time(10)
    await arrived(typed, "litecoin-cli", chosen)

    typed = prompt(fleet, "taker", tmp_path)
    descriptor = next(leg["descriptor"] for leg in taken["legs"] if leg["ticker"] == "BTC")
    known = json.loads(typed.type(f"bitcoin-cli -regtest getdescriptorinfo '{descriptor}'"))
    assert known["checksum"] == descriptor.partition("#")[2]
    script = next(leg["script_address"] for leg in taken["legs"] if leg["ticker"] == "BTC")
    assert script in typed.type(f"bitcoin-cli -regtest deriveaddresses '{descriptor}'")
    cheap, *_, dear = of(taken, "refund")
    assert "non-final" in typed.refuses(cheap["command"])
    await fleet.pass_blocks_to(deadline(swap, "expiry_i") + 70)
    assert typed.type(cheap["command"]) == cheap["txid"]
    assert typed.type(dear["command"]) == dear["txid"], "a dearer one replaces it"
    await fleet.relay_transactions()
    await fleet.world.pass_time(10)
    await arrived(typed, "bitcoin-cli", dear)

    await fleet["taker"].start()
    await fleet.until_ended(swap_id)
    assert await fleet.phase("taker", swap_id) == "refunded", "a daemon that comes back sees it"


def shown_on_chain(typed: Shell, script: str) -> str:
    """The preimage that the newest blocks of litecoind show in a spend of a lock with `script`."""
    tip = typed.type("litecoin-cli -regtest getbestblockhash")
    for _ in range(20):
        block = json.loads(typed.type(f"litecoin-cli -regtest getblock {tip} 2"))
        for tx in block["tx"]:
            for spent in tx["vin"]:
                witness = spent.get("txinwitness", ())
                if len(witness) == 3 and witness[2] == script and witness[0]:
                    return str(witness[0])
        tip = block["previousblockhash"]
    raise AssertionError("nobody has claimed it")


@pytest.mark.slow
async def test_a_maker_whose_daemon_died_before_the_reveal_claims_by_hand(
    fleet: Fleet, tmp_path: Path
) -> None:
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "maker", swap_id, "p", "unconfirmed")
    made = await printed(fleet["maker"], swap_id)
    await fleet["maker"].kill()
    await fleet.relay_transactions()
    await fleet.until_phase("taker", swap_id, "completed")

    typed = prompt(fleet, "maker", tmp_path)
    script = next(leg["script"] for leg in made["legs"] if leg["ticker"] == "LTC")
    preimage = shown_on_chain(typed, script)
    chosen = of(made, "claim_without_preimage")[2]
    assert typed.type(chosen["command"].replace("<PREIMAGE>", preimage)) == chosen["txid"]
    await fleet.relay_transactions()
    await fleet.world.pass_time(10)
    await arrived(typed, "bitcoin-cli", chosen)

    await fleet["maker"].start()
    await fleet.until_ended(swap_id)
    assert await fleet.phase("maker", swap_id) == "completed"


@pytest.mark.slow
async def test_a_taker_gone_after_its_reveal_claims_with_what_its_data_directory_prints(
    fleet: Fleet, tmp_path: Path
) -> None:
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "taker", swap_id, "p", "claimed")
    await fleet["taker"].kill()
    await fleet["maker"].kill()
    taken = await offline(fleet["taker"], swap_id)
    typed = prompt(fleet, "taker", tmp_path)
    sent = of(taken, "claim")
    assert sent
    told = typed.type(f"litecoin-cli -regtest decoderawtransaction {sent[0]['raw']}")
    assert json.loads(told)["txid"] == sent[0]["txid"]
    # its own claim is in the mempools already, and litecoind keeps what it saw first
    assert "conflict" in typed.refuses(sent[-1]["command"])
    await fleet.relay_transactions()
    await fleet.world.pass_time(10)
    await fleet["maker"].start()
    await fleet["taker"].start()
    await fleet.until_ended(swap_id)
    assert await fleet.phase("taker", swap_id) == "completed"


@pytest.mark.slow
async def test_the_descriptor_with_its_key_is_enough_for_a_plain_wallet(
    fleet: Fleet, tmp_path: Path
) -> None:
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "taker", swap_id, "i", "confirmed")
    swap = await fleet.swap("taker", swap_id)
    told = await printed(fleet["taker"], swap_id, "--keys", "--yes")
    assert told["preimage"] is None
    await fleet["taker"].kill()
    await fleet["maker"].kill()
    await fleet.pass_blocks_to(deadline(swap, "expiry_i") + 70)

    typed = prompt(fleet, "taker", tmp_path)
    key = next(k for k in told["keys"] if k["what"] == "refund")
    lock = of(told, "refund")[0]
    txid, _, vout = lock["spends"].partition(":")
    typed.type("bitcoin-cli -regtest -named createwallet wallet_name=rescue blank=true")
    wanted = json.dumps([{"desc": key["descriptor"], "timestamp": 0}])
    imported = typed.type(f"bitcoin-cli -regtest -rpcwallet=rescue importdescriptors '{wanted}'")
    assert json.loads(imported)[0]["success"], imported
    spent = json.dumps([{"txid": txid, "vout": int(vout), "sequence": 0xFFFFFFFD}])
    paid = json.dumps([{lock["pays_to"]: lock["arrives"]["decimal"]}])
    psbt = typed.type(f"bitcoin-cli -regtest createpsbt '{spent}' '{paid}' {lock['valid_from']}")
    signed = typed.type(f"bitcoin-cli -regtest -rpcwallet=rescue walletprocesspsbt {psbt}")
    assert json.loads(signed)["complete"], signed
    done = typed.type(f"bitcoin-cli -regtest finalizepsbt {json.loads(signed)['psbt']}")
    sent = typed.type(f"bitcoin-cli -regtest sendrawtransaction {json.loads(done)['hex']}")
    typed.type("bitcoin-cli -regtest unloadwallet rescue")
    await fleet.relay_transactions()
    await fleet.world.pass_time(10)
    out = json.loads(typed.type(f"bitcoin-cli -regtest gettxout {sent} 0 false"))
    assert out["confirmations"] >= 1

    await fleet["maker"].start()
    await fleet["taker"].start()
    await fleet.until_ended(swap_id)
    assert await fleet.phase("taker", swap_id) == "refunded"
