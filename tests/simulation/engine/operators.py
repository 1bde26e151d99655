"""What operators do: post offers, take others', cancel, bump and spend by hand.

Owns: their acts, and which errors are an ordinary answer to them. Must not know: faults.
"""

from typing import Final

import trio

from protocol.amounts import Price
from protocol.bitcoin.tx import TxOutput
from swapd.api.errors import ApiError
from swapd.engine.asking import TakeRefused
from swapd.engine.market import Found
from swapd.engine.offers_checks import Draft
from swapd.ports import Coin, PortError
from tests.simulation.engine.daemon import BTC, LTC, Daemon
from tests.simulation.engine.plain import read_state

COIN: Final = 100_000_000
PATIENCE: Final = 6
"""How often a take or post is tried again when it is refused."""


class Operator:
    """The human at one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._scene = daemon.scene
        self._rng = daemon.rng

    def _note(self, text: str) -> None:
        self._scene.referee.note(f"{self._daemon.name}'s operator: {text}")

    def post(self, *, sells_ltc: bool, tries: int = PATIENCE) -> None:
        """Posts an offer of 80 LTC a BTC, or a little off."""
        self._daemon.do(lambda: self._post(sells_ltc, tries))

    async def _post(self, sells_ltc: bool, tries: int) -> None:
        rate = self._rng.randint(75, 85)
        price = Price.of(1, rate) if sells_ltc else Price.of(rate, 1)
        unit = 4 * COIN if sells_ltc else 5_000_000
        draft = Draft(
            sell=LTC if sells_ltc else BTC,
            buy=BTC if sells_ltc else LTC,
            price=price,
            maximum=unit * self._rng.randint(4, 10),
            minimum=unit // 2,
        )
        try:
            standing = await self._daemon.offers.post(draft)
        except (ApiError, PortError) as error:
            self._note(f"post failed: {error}")
            if tries:
                self._scene.timeline.after(
                    7, lambda: self.post(sells_ltc=sells_ltc, tries=tries - 1)
                )
            return
        self._note(f"posted {standing.offer_id.hex()[:6]}")

    def take(self, *, tries: int = PATIENCE) -> None:
        """Takes a part of somebody's offer."""
        self._daemon.do(lambda: self._take(tries))

    async def _take(self, tries: int) -> None:
        daemon = self._daemon
        own = daemon.signer.maker_key()
        found: list[Found] = [
            one
            for side in ((LTC, BTC), (BTC, LTC))
            for one in daemon.market.side(*side).offers
            if one.offer.maker != own and one.certificate is not None
        ]
        if not found:
            self._again(tries, "nothing to take")
            return
        chosen = self._rng.choice(found)
        least, most = int(chosen.offer.minimum), int(chosen.offer.maximum)
        units = self._rng.choice(
            (least, least, min(most, 2 * least), self._rng.randint(least, most))
        )
        certificate = chosen.certificate
        assert certificate is not None
        try:
            agreement = await daemon.taker.take(
                chosen.signed, units, peer_id=certificate.peer_id, addresses=certificate.addresses
            )
        except (TakeRefused, PortError) as error:
            self._again(tries, f"take failed: {error}")
            return
        except Exception as error:
            self._scene.referee.violated(f"{daemon.name}: a take raised {error!r}")
            raise
        self._scene.referee.tallies["takes"] += 1
        self._note(f"took {units} in swap {agreement.swap_id.hex()[:6]}")

    def _again(self, tries: int, why: str) -> None:
        self._scene.referee.tallies["takes refused"] += 1
        self._note(why)
        if tries:
            wait = self._rng.randint(3, 9)
            self._scene.timeline.after(wait, lambda: self.take(tries=tries - 1))

    def withdraw(self) -> None:
        """Cancels an offer that stands."""
        self._daemon.do(self._withdraw)

    async def _withdraw(self) -> None:
        standing = self._daemon.offers.standing()
        if standing:
            try:
                await self._daemon.offers.cancel(self._rng.choice(standing).offer_id)
            except ApiError as error:
                self._note(f"cancel failed: {error}")
            else:
                self._note("cancelled an offer")

    def give_up(self) -> None:
        """Asks for a running swap to be cancelled."""
        self._daemon.do(self._give_up)

    async def _give_up(self) -> None:
        await trio.lowlevel.checkpoint()
        running = self._daemon.swaps.open()
        if running:
            swap_id = self._rng.choice(running).agreement.swap_id
            self._daemon.swaps.cancel(swap_id)
            self._note(f"cancels swap {swap_id.hex()[:6]}")

    def meddle(self, *, bump: bool) -> None:
        """Replaces an unconfirmed lock of his own by hand: with a dearer one that still pays the
        script, or by taking the coins back."""
        daemon = self._daemon
        for swap_id, rows in daemon.disk.journal.items():
            lock = read_state(rows[-1].state)["own"].get("lock")
            if lock is None:
                continue
            for wallet in daemon.wallets.values():
                tx = wallet.ledger.mempool.get(lock["tx"]["txid"])
                if tx is None:
                    continue
                coins = [
                    Coin(coin["ref"], coin["units"], coin["script_pubkey"])
                    for coin in lock["coins"]
                ]
                change = [output for output in tx.outputs if len(output.script_pubkey) == 22]
                if bump and not change:
                    continue
                outputs = [
                    TxOutput(output.script_pubkey, output.amount - 50_000)
                    if output in change
                    else output
                    for output in tx.outputs
                ]
                if not bump:
                    total = sum(coin.units for coin in coins) - 100_000
                    outputs = [TxOutput(wallet.fresh_script(), total)]
                signed = wallet._sign(coins, outputs)
                result = wallet.ledger.submit(signed.serialise())
                what = "bumps" if bump else "takes back"
                self._scene.referee.tallies[f"operator {what}"] += 1
                self._note(f"{what} the lock of {swap_id.hex()[:6]}: {result.outcome.value}")
                return
