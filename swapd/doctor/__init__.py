"""Examinations of what a swap daemon lives on: clock, nodes, disk, files, addresses.

Owns: the findings and how each is found. Must not know: swaps, the engine, who asks.
"""
