"""The bitcoind family of chains, pure: parameters, transactions, the P2WSH HTLC and its spends.

Owns: nothing itself; each module says what it owns.
Must not know: nodes, RPC, keys (signing stays in `swapd.keys`), time.
"""
