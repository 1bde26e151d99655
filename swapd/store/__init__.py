"""The durable memory: one SQLite file with the journal of every swap.

Must not know: what is inside a record, chains, peers, keys.
"""
