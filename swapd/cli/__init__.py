"""swap-cli: the command line.

Owns: what people type and see. Must not know: the engine, nodes, the journal; it is a client of
the control socket, nothing more.
"""
