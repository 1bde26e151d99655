"""The recovery file: with the seed words, all that it takes to bring every open swap to its end on
another machine (safety rule 24).

Owns: what is in it, where and when it is written, how it is taken over. Must not know: the swap
machine beyond one function, nodes, SQLite.
"""
