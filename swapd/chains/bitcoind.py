"""The `Chain` port on a bitcoind or litecoind: what the engine sees of a node.

Owns: `BitcoindChain`, which joins the modules of this package. Must not know: the engine.
"""

from collections.abc import Sequence
from typing import Final

import trio

from protocol.bitcoin.address import address_of, hash160, p2wpkh_script, script_of
from protocol.bitcoin.params import ChainParams
from protocol.limits import PINNED_DEPTH
from protocol.swap.facts import ChainView, LockSeen
from protocol.terms import LegTerms, PinnedBlock
from swapd.chains import proofs, sent_locks, spending
from swapd.chains.answers import block_hash, whole
from swapd.chains.checks import check_node
from swapd.chains.config import NodeConfig
from swapd.chains.funding import Funding
from swapd.chains.health import Health
from swapd.chains.rpc import Rpc, RpcError
from swapd.chains.wallet import Wallet
from swapd.chains.watching import Watching
from swapd.ports import (
    Broadcast,
    BroadcastResult,
    ChainError,
    ChainStatus,
    Clock,
    Coin,
    FundsProof,
    LegWatch,
    SignDigest,
    SignedLock,
    SignedTx,
    WalletBalance,
)

"""Blocks below the tip of the block that terms pin (safety rule 12)."""

_ALREADY_IN_CHAIN: Final = -27
_REJECTIONS: Final = (-22, -25, -26)
_KNOWN: Final = ("already-in-mempool", "already-known", "same-nonwitness-data-in-mempool")
_OUT_OF_RANGE: Final = -8


class BitcoindChain:
    """One node of the bitcoind family. See `swapd.ports.Chain` for what each method promises."""

    def __init__(self, params: ChainParams, config: NodeConfig, clock: Clock) -> None:
        """Raises NodeMisconfigured for a url or credentials that can't work."""
        self.params = params
        self.chain = params.chain_id
        self.asset = params.asset_id
        self.ticker = params.ticker
        self.decimals = params.decimals
        self._config = config
        self._rpc = Rpc(config)
        self._health = Health(self._rpc, params, config, clock)
        self._wallet = Wallet(self._rpc, params, config.wallet or "")
        self._watching = Watching(self._rpc, params, config, self._health, self._connected)
        self._funding = Funding(self._rpc, params, self._wallet, self._watching.mempool)

    # --- the node ---

    async def check(self) -> None:
        """Everything that must be right before money moves. Raises NodeMisconfigured."""
        await check_node(self._rpc, self.params, self._config)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follows the node until cancelled, through restarts and outages."""
        task_status.started()
        await self._watching.run()

    async def _connected(self) -> None:
        await self.check()
        if self._config.wallet is not None:
            await self._wallet.relock()

    def change_count(self) -> int:
        """Grows with each block, relevant mempool event, or change of health."""
        return self._watching.change_count()

    async def wait_change(self, seen: int) -> int:
        """The count, as soon as it differs from `seen`."""
        return await self._watching.wait_change(seen)

    async def status(self) -> ChainStatus:
        """The node as it is now."""
        info = await self._health.look()
        return ChainStatus(
            chain=self.chain,
            asset=self.asset,
            ticker=self.ticker,
            decimals=self.decimals,
            height=info.height,
            tip_hash=info.tip_hash,
            tip_time=info.tip_time,
            median_time=info.median_time,
            peers=info.peers,
            version=info.version,
            synced=info.synced,
            pruned=info.pruned,
            problems=info.problems,
            fee_next=info.fee_next,
            fee_floor=info.fee_floor,
            time_offset=info.time_offset,
            prune_height=info.prune_height,
            fee_estimated=info.fee_estimated,
        )

    async def pinned(self) -> PinnedBlock:
        """The block 100 below the tip, or the genesis block."""
        height = max(0, whole(await self._rpc.call("getblockcount")) - PINNED_DEPTH)
        name = block_hash(await self._rpc.call("getblockhash", height))
        return PinnedBlock(height, bytes.fromhex(name))

    async def has_block(self, pinned: PinnedBlock) -> bool:
        """Whether that block is in our best chain at that height."""
        if not 0 <= pinned.height < 2**31:
            return False
        try:
            name = block_hash(await self._rpc.call("getblockhash", pinned.height))
        except RpcError as error:
            if error.code == _OUT_OF_RANGE:
                return False
            raise
        return name == pinned.block_hash.hex()

    # --- watches ---

    def watch(self, watch: LegWatch) -> None:
        """Starts or replaces a watch. Raises ValueError for terms that no lock may have."""
        self._watching.watch(watch)

    def unwatch(self, watch_id: str) -> None:
        """Ends a watch."""
        self._watching.unwatch(watch_id)

    async def view(self, watch_id: str) -> ChainView:
        """Fresh facts. Raises NodeMisconfigured when needed blocks are pruned."""
        return await self._watching.view(watch_id)

    # --- transactions ---

    async def fund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        fee_rate: int,
        replaces: SignedLock | None = None,
        *,
        deadline: int,  # noqa: ARG002 - an output has none: what is late is killed
    ) -> SignedLock:
        """A signed lock; its coins are held for a minute, then by `set_reserved`."""
        return await self._funding.fund(leg, hashlock, fee_rate, replaces)

    async def sent_lock(
        self, leg: LegTerms, hashlock: bytes, since_height: int
    ) -> SignedLock | None:
        """Asked of the wallet, which outlives our database."""
        return await sent_locks.find(self._wallet, self.params, leg, hashlock, since_height)

    async def build_kill(self, lock: SignedLock, fee_rate: int) -> SignedTx:
        """A replacement of `lock` that pays ourselves."""
        increment = (await self._health.look()).increment
        return await self._funding.kill(lock, fee_rate, increment)

    async def build_claim(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,
        destination: str,
        fee_rate: int,
        sign: SignDigest,
        preimage: bytes,
    ) -> SignedTx:
        """Without a word to the node."""
        return await spending.claim(
            self.params, leg, hashlock, lock, destination, fee_rate, sign, preimage
        )

    async def build_refund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,
        destination: str,
        fee_rate: int,
        sign: SignDigest,
    ) -> SignedTx:
        """Valid from the leg's expiry on."""
        return await spending.refund(self.params, leg, hashlock, lock, destination, fee_rate, sign)

    async def broadcast(self, raw: bytes) -> BroadcastResult:
        """Hands a transaction to the node, at any fee: what is too dear was decided before."""
        try:
            await self._rpc.call("sendrawtransaction", raw.hex(), 0)
        except RpcError as error:
            if error.code == _ALREADY_IN_CHAIN or any(k in error.message for k in _KNOWN):
                return BroadcastResult(Broadcast.ALREADY_KNOWN)
            if error.code in _REJECTIONS:
                return BroadcastResult(Broadcast.REJECTED, error.message)
            raise
        return BroadcastResult(Broadcast.ACCEPTED)

    async def build_sweep(
        self,
        coins: Sequence[Coin],
        signers: Sequence[tuple[bytes, SignDigest]],
        destination: str,
        fee_rate: int,
    ) -> SignedTx:
        """All of `coins` to `destination`."""
        return await spending.sweep(self.params, coins, signers, destination, fee_rate)

    async def build_split(self, count: int, units: int, fee_rate: int) -> SignedTx:
        """`count` coins of `units` to ourselves. Raises ValueError for figures out of range."""
        return await self._funding.split(count, units, fee_rate)

    # --- coins ---

    async def set_reserved(self, refs: frozenset[str]) -> None:
        """Takes effect at once; the node's own locks follow now, or when it answers again."""
        try:
            await self._wallet.set_reserved(refs)
        except ChainError:
            return  # run() repeats it at the next connect

    async def reserved_units(self, units: int, fee_rate: int) -> int:
        """Amount and fee of a lock of `units`."""
        return await self._funding.cost(units, fee_rate)

    async def prove_funds(self, challenge: bytes, units: int) -> FundsProof:
        """A proof over free coins."""
        return await proofs.prove_funds(self._wallet, challenge, units)

    async def check_funds(self, proof: FundsProof, challenge: bytes, units: int) -> None:
        """Raises FundsProofInvalid."""
        await proofs.check_funds(self._wallet, proof, challenge, units)

    async def balance(self) -> WalletBalance:
        """What the wallet holds."""
        return await self._wallet.balance()

    async def unspent(self, addresses: Sequence[str], refs: Sequence[str]) -> tuple[Coin, ...]:
        """Which of `refs` are confirmed, pay one of `addresses`, and are spent nowhere."""
        scripts = {self.check_address(address) for address in addresses}
        coins = await self._wallet.unspent(refs, mempool=True)
        return tuple(coin for coin in coins if coin.script_pubkey in scripts)

    async def search(self, addresses: Sequence[str]) -> tuple[Coin, ...]:
        """Every confirmed, unspent coin of `addresses`, by scantxoutset."""
        return await self._wallet.search(addresses)

    # --- addresses ---

    def check_address(self, address: str) -> bytes:
        """The script it pays to. Raises ValueError."""
        return script_of(self.params, address)

    def address_of(self, public_key: bytes) -> str:
        """The P2WPKH address of a 33-byte key."""
        return address_of(self.params, p2wpkh_script(hash160(public_key)))

    async def claim_party(
        self,
        htlc_key: bytes,
        destination: str | None,  # noqa: ARG002 - the claim itself says where it pays
    ) -> bytes:
        """The key itself."""
        return htlc_key

    async def refund_party(self, htlc_key: bytes) -> bytes:
        """The key itself."""
        return htlc_key

    def fixed_address(self, *, refund: bool) -> str | None:  # noqa: ARG002 - for neither
        """None: each payout has an address of its own."""
        return None

    async def wallet_address(self) -> str:
        """A fresh address of the node's wallet."""
        return await self._wallet.new_address()
