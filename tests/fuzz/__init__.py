"""Hostile bytes for every decoder: `python -m tests.fuzz INPUTS=200000`.

`targets` is the table of decoders, `mutate` and `shapes` make the inputs, `run` feeds them.
"""
