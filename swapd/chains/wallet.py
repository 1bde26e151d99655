"""The operator's node wallet: which coins are ours to use, and who holds them.

Owns: listing usable coins, reservations, addresses, signing through the node. Must not know: what
the coins are spent for (`funding`).

Safety rule 5: the wallet is not ours alone. Reservations are what our journal says; the node's
`lockunspent` merely keeps the operator's own payments off those coins. Nodes forget it when they
stop, so it is repeated at each connect.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import trio

from protocol.bitcoin.address import script_of
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.tx import MAX_TX_BYTES, Transaction, parse_tx
from swapd.chains.answers import (
    BadAnswer,
    block_hash,
    flag,
    raw_hex,
    rows,
    table,
    text,
    units,
    whole,
)
from swapd.chains.checks import WALLET_NOT_FOUND
from swapd.chains.leg_watch import parse_ref
from swapd.chains.rpc import MAX_LARGE_ANSWER, Call, Rpc, RpcError
from swapd.chains.selection import is_usable
from swapd.ports import ChainError, Coin, WalletBalance, WalletLocked, WalletMissing

FRESH_SECONDS: Final = 60.0
"""How long coins of a new lock stay reserved although the journal does not name them yet."""

MAX_SCRIPT: Final = 10_000

_UNLOCK_NEEDED = -13
_KEYPOOL_EMPTY = -12
_EVER = 9_999_999
SEARCH_SECONDS = 3600


class Wallet:
    """One wallet of one node."""

    def __init__(self, rpc: Rpc, params: ChainParams, name: str) -> None:
        self._rpc = rpc
        self._params = params
        self._name = name
        self._reserved: frozenset[str] = frozenset()
        self._fresh: dict[str, float] = {}
        self._locked: set[str] = set()  # what we locked in the node as it runs now

    async def call(self, method: str, *params: object, timeout: float | None = None) -> Any:
        """A wallet call, its refusals translated. Raises WalletLocked, WalletMissing."""
        try:
            return await self._rpc.call(
                method, *params, wallet=True, timeout=timeout, most=MAX_LARGE_ANSWER
            )
        except RpcError as error:
            raise self._translated(error) from None

    def _translated(self, error: RpcError) -> ChainError:
        if error.code == _UNLOCK_NEEDED:
            return self._locked_error()
        if error.code == _KEYPOOL_EMPTY:
            msg = (
                f"wallet {self._name!r} at {self._rpc.where} has no fresh addresses left: unlock "
                f"it with `walletpassphrase` and run `keypoolrefill`"
            )
            return WalletLocked(msg)
        if error.code == WALLET_NOT_FOUND:
            msg = (
                f"wallet {self._name!r} is not loaded at {self._rpc.where}: "
                f'run `loadwallet "{self._name}"`'
            )
            return WalletMissing(msg)
        return error

    def _locked_error(self) -> WalletLocked:
        msg = (
            f"wallet {self._name!r} at {self._rpc.where} is locked: unlock it with "
            f"`walletpassphrase <passphrase> <seconds>`, long enough for a whole swap"
        )
        return WalletLocked(msg)

    # --- coins ---

    async def require_unlocked(self) -> None:
        """Raises WalletLocked when the wallet could not sign now. Listing coins would not tell."""
        info = table(await self.call("getwalletinfo"))
        # The key is only there for an encrypted wallet; 0 says that it is locked.
        if "unlocked_until" in info and whole(info["unlocked_until"], 0, 2**63) == 0:
            raise self._locked_error()

    async def free_coins(self, confirmations: int = 1) -> list[Coin]:
        """So often confirmed, spendable, native segwit, not reserved by us, not locked by the
        operator."""
        held = self._held()
        if self._locked - held:  # coins of a lock that never came to be
            await self._apply()
        listed = await self._listed(confirmations, safe_only=True)
        return [coin for coin in listed if is_usable(coin.script_pubkey) and coin.ref not in held]

    async def unconfirmed_units(self) -> int:
        """Usable coins on their way, ours and other people's."""
        listed = await self._listed(0, safe_only=False)
        return sum(coin.units for coin in listed if is_usable(coin.script_pubkey))

    async def balance(self) -> WalletBalance:
        """All of it, by what it can be used for."""
        held = self._held()
        listed = await self._listed(1, safe_only=True)
        usable = [coin for coin in listed if is_usable(coin.script_pubkey)]
        free = [coin for coin in usable if coin.ref not in held]
        return WalletBalance(
            confirmed=sum(coin.units for coin in free),
            reserved=sum(
                coin.units for coin in await self.unspent(sorted(self._reserved), mempool=True)
            ),
            unconfirmed=await self.unconfirmed_units(),
            unusable=sum(coin.units for coin in listed if not is_usable(coin.script_pubkey)),
            coins=len(free),
        )

    async def unspent(self, refs: Sequence[str], *, mempool: bool = False) -> tuple[Coin, ...]:
        """Which outputs are confirmed and unspent; with `mempool`, not spent there either."""
        outpoints = [parse_ref(ref) for ref in refs]
        calls: list[Call] = [("gettxout", (o.txid.hex(), o.vout, mempool)) for o in outpoints]
        found = []
        for ref, answer in zip(refs, await self._rpc.batch(calls), strict=True):
            if isinstance(answer, RpcError):
                raise answer
            if answer is None:
                continue
            output = table(answer)
            confirmations = whole(output.get("confirmations"))
            immature = output.get("coinbase") and confirmations < self._params.coinbase_maturity
            if confirmations >= 1 and not immature:
                script = raw_hex(table(output.get("scriptPubKey")).get("hex"), MAX_SCRIPT)
                found.append(Coin(ref, units(output.get("value")), script))
        return tuple(found)

    async def search(self, addresses: Sequence[str]) -> tuple[Coin, ...]:
        """`scantxoutset`: minutes on a large chain. Raises RpcError while another one runs."""
        wanted = [{"desc": f"addr({address})"} for address in addresses]
        answer = await self._rpc.call(
            "scantxoutset", "start", wanted, timeout=SEARCH_SECONDS, most=MAX_LARGE_ANSWER
        )
        if not flag(table(answer).get("success")):
            raise BadAnswer("the node gave up looking through its unspent outputs")
        coins = []
        for item in rows(table(answer).get("unspents")):
            entry = table(item)
            ref = f"{block_hash(entry.get('txid'))}:{whole(entry.get('vout'), 0, 2**32 - 1)}"
            script = raw_hex(entry.get("scriptPubKey"), MAX_SCRIPT)
            coins.append(Coin(ref, units(entry.get("amount")), script))
        return tuple(coins)

    async def _listed(self, confirmed: int, *, safe_only: bool) -> list[Coin]:
        """`listunspent`: confirmed coins, or (0) those that are not yet."""
        most = _EVER if confirmed else 0
        answer = await self.call("listunspent", confirmed, most, [], not safe_only)
        coins = []
        for item in rows(answer):
            entry = table(item)
            # An MWEB coin has no script and no index: it can't fund a lock.
            if "scriptPubKey" not in entry or "vout" not in entry:
                continue
            if not (flag(entry.get("spendable")) and flag(entry.get("solvable", True))):
                continue
            ref = f"{block_hash(entry.get('txid'))}:{whole(entry.get('vout'), 0, 2**32 - 1)}"
            script = raw_hex(entry["scriptPubKey"], MAX_SCRIPT)
            coins.append(Coin(ref, units(entry.get("amount")), script))
        return coins

    # --- reservations ---

    def _held(self) -> frozenset[str]:
        now = trio.current_time()
        self._fresh = {ref: until for ref, until in self._fresh.items() if until > now}
        return self._reserved.union(self._fresh)

    async def hold(self, refs: Iterable[str]) -> None:
        """Reserves coins of a lock just signed, until the journal names them or a minute passed."""
        until = trio.current_time() + FRESH_SECONDS
        self._fresh.update(dict.fromkeys(refs, until))
        await self._apply()

    async def set_reserved(self, refs: frozenset[str]) -> None:
        """The journal's reservations, all of them. Raises ValueError for a malformed ref."""
        self._reserved = frozenset(str(parse_ref(ref)) for ref in refs)
        for ref in self._reserved & self._fresh.keys():
            del self._fresh[ref]
        await self._apply()

    async def relock(self) -> None:
        """After a reconnect the node may have forgotten every lock."""
        self._locked.clear()
        await self._apply()

    async def _apply(self) -> None:
        """Makes the node's locks follow our reservations; never touches the operator's own."""
        held = self._held()
        await self._lockunspent(sorted(held - self._locked), unlock=False)
        await self._lockunspent(sorted(self._locked - held), unlock=True)
        self._locked = set(held)

    async def _lockunspent(self, refs: Sequence[str], *, unlock: bool) -> None:
        calls: list[Call] = []
        for ref in refs:
            outpoint = parse_ref(ref)
            named = [{"txid": outpoint.txid.hex(), "vout": outpoint.vout}]
            calls.append(("lockunspent", (unlock, named)))
        for answer in await self._rpc.batch(calls, wallet=True):
            # A coin already locked, or spent since, is one nobody else will spend: go on.
            if isinstance(answer, RpcError) and answer.code == WALLET_NOT_FOUND:
                raise self._translated(answer)

    # --- addresses and signatures ---

    async def new_address(self) -> str:
        """A fresh P2WPKH address to receive on."""
        return self._checked(await self.call("getnewaddress", "", "bech32"))

    async def change_script(self) -> bytes:
        """The script of a fresh P2WPKH change address."""
        address = self._checked(await self.call("getrawchangeaddress", "bech32"))
        return script_of(self._params, address)

    def _checked(self, answer: object) -> str:
        address = text(answer)
        try:
            script_of(self._params, address)
        except BitcoinError as error:
            msg = f"wallet {self._name!r} gave an unusable address: {error}"
            raise BadAnswer(msg) from None
        return address

    async def sign(
        self, tx: Transaction, prevtxs: Sequence[dict[str, object]] = (), *, whole_tx: bool = True
    ) -> tuple[Transaction, bytes]:
        """The wallet's signatures on `tx`, checked to be on exactly that transaction; also its
        bytes. `whole_tx` False allows inputs that stay unsigned. Raises WalletLocked."""
        answer = table(
            await self.call("signrawtransactionwithwallet", tx.serialise().hex(), list(prevtxs))
        )
        raw = raw_hex(answer.get("hex"), MAX_TX_BYTES)
        try:
            signed = parse_tx(raw)
        except BitcoinError as error:
            msg = f"wallet {self._name!r} signed something unreadable: {error}"
            raise BadAnswer(msg) from None
        if not _same_but_for_witnesses(tx, signed):
            raise BadAnswer(f"wallet {self._name!r} signed another transaction than it was given")
        if whole_tx and not flag(answer.get("complete")):
            why = [text(table(item).get("error", "")) for item in rows(answer.get("errors", []))]
            msg = f"wallet {self._name!r} could not sign every input: {'; '.join(why)[:300]}"
            raise ChainError(msg)
        return signed, raw


def _same_but_for_witnesses(asked: Transaction, signed: Transaction) -> bool:
    return (asked.version, asked.lock_time, asked.outputs, asked.mweb) == (
        signed.version,
        signed.lock_time,
        signed.outputs,
        signed.mweb,
    ) and [(i.outpoint, i.sequence, i.script_sig) for i in asked.inputs] == [
        (i.outpoint, i.sequence, i.script_sig) for i in signed.inputs
    ]
