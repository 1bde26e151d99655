"""Chains with accounts and contracts: what their transactions, slots and names are made of.

Owns: pure encodings and checks. Must not know: nodes, configuration, who decides what.
"""
