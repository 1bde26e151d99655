"""The control interface as values: one table of methods, their parameters, results and errors.

Owns: what can be asked of the daemon and what it answers. Must not know: sockets, the engine, the
command line. The engine implements `Operations`; the control server serves it; the command line
and the documents are made from the table.
"""
