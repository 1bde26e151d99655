"""Keyless watchtowers: what a client leaves with one, and what the tower does with it.

Owns: packages, their checks, the watching logic, the messages. Must not know: nodes, sockets, keys.
"""
