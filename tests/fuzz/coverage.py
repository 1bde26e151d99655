"""Which module's decoding is fuzzed by which targets.

Owns: the list. Must not know: how anything is fuzzed. A module that turns bytes or text of others
into values and is not here fails a test.
"""

DECODERS: dict[str, tuple[str, ...]] = {
    "protocol/amounts.py": ("wire.offer", "read.offer"),
    "protocol/bitcoin/address.py": ("bitcoin.address",),
    "protocol/bitcoin/htlc.py": ("bitcoin.script",),
    "protocol/bitcoin/mweb.py": ("bitcoin.mweb", "bitcoin.tx"),
    "protocol/bitcoin/scan.py": ("bitcoin.scan",),
    "protocol/bitcoin/signatures.py": ("bitcoin.signature", "bitcoin.proof"),
    "protocol/bitcoin/tx.py": ("bitcoin.tx", "bitcoin.tx_hex", "bitcoin.spend", "bitcoin.lock"),
    "protocol/codec.py": ("wire.offer", "wire.terms", "wire.message", "wire.items"),
    "protocol/evm/address.py": ("evm.address", "evm.asset"),
    "protocol/evm/keccak.py": ("evm.tx", "evm.address"),
    "protocol/evm/slots.py": ("evm.slot",),
    "protocol/evm/transactions.py": ("evm.tx",),
    "protocol/gossip.py": ("gossip.validator", "wire.items", "market.intake"),
    "protocol/identity.py": ("read.certificate", "read.retire", "open.signed"),
    "protocol/lease.py": ("read.heartbeat", "read.equivocation", "open.signed"),
    "protocol/negotiation/messages.py": ("wire.message", "take.maker", "take.taker", "take.signed"),
    "protocol/offers.py": ("read.offer", "read.cancel", "read.floor", "open.signed"),
    "protocol/tower/messages.py": ("tower.question", "tower.answer"),
    "protocol/tower/package.py": ("tower.package",),
    "protocol/reconcile.py": ("read.book_request", "read.book_answer", "market.book_sync"),
    "swapd/api/calls/subscriptions.py": ("cli.incoming",),
    "swapd/chains/answers.py": ("node.values", "node.questions"),
    "swapd/chains/bitcoind.py": ("node.questions",),
    "swapd/chains/evm/answers.py": ("evm.answers",),
    "swapd/chains/evm/assets.py": ("evm.token",),
    "swapd/chains/evm/chain.py": ("evm.address",),
    "swapd/chains/evm/contract.py": ("evm.coin", "evm.shown"),
    "swapd/chains/evm/rpc.py": ("evm.rpc",),
    "swapd/chains/rpc.py": ("node.questions", "node.http", "node.values"),
    "swapd/cli/node.py": ("cli.json_params",),
    "swapd/config/layers.py": ("config.file", "config.environment", "config.flags"),
    "swapd/config/load.py": ("config.file",),
    "swapd/config/policy.py": ("config.file",),
    "swapd/control/idempotency.py": ("store.idempotency",),
    "swapd/control/jsonrpc.py": ("control.request", "control.lines", "cli.incoming"),
    "swapd/control/validation.py": ("control.params", "control.session"),
    "swapd/engine/backups.py": ("store.last_backup",),
    "swapd/engine/locked_swaps.py": ("store.progress", "tower.package"),
    "swapd/engine/journal.py": ("journal.state", "journal.event"),
    "swapd/engine/offers.py": ("store.account", "read.offer"),
    "swapd/engine/offers_account.py": ("store.account",),
    "swapd/engine/operations/care.py": ("rpc.operations",),
    "swapd/engine/operations/choosing.py": ("rpc.operations",),
    "swapd/engine/operations/market.py": ("rpc.operations",),
    "swapd/engine/operations/swaps.py": ("rpc.operations",),
    "swapd/keys/seedfile.py": ("keys.seed_file", "keys.seed_open"),
    "swapd/keys/words.py": ("keys.words",),
    "swapd/network/addresses.py": ("address.full", "address.peer"),
    "swapd/network/channels.py": ("channel.messages",),
    "swapd/network/frames.py": ("frames.command", "frames.report", "frames.session"),
    "swapd/network/gossip.py": ("gossip.rpc", "gossip.frames"),
    "swapd/recovery/content.py": ("recovery.file", "recovery.content"),
    "swapd/recovery/takeover.py": ("recovery.taken", "journal.state"),
    "swapd/store/mark.py": ("store.mark",),
    "swapd/store/opening.py": ("store.database",),
    "swapd/store/schema.py": ("store.database",),
    "swapd/store/seals.py": ("store.database",),
    "swapd/tower/vault.py": ("tower.vault",),
}

OURS = {
    "swapd/keys/derive.py",
    "swapd/engine/rescue.py",
    "protocol/evm/contract/artifact.py",
    "swapd/chains/evm/nonces.py",
    "swapd/chains/evm/leg_watch.py",
}
"""Bytes that we made ourselves: keys derived from the seed, what was printed for a rescue, the code
of the contract that comes with the package, nonces and the blocks of locks in our own store."""

CALLS = frozenset(
    {"decode", "convert", "loads", "ParseFromString", "fromhex", "from_bytes", "unpackb",
     "unpack_from", "tx_from_bytes", "ec_sig_from_der", "addr_segwit_to_bytes", "base58_to_bytes",
     "bip39_mnemonic_to_bytes", "from_string", "Multiaddr"}
)  # fmt: skip
"""Names of the functions by which bytes and texts become values."""
