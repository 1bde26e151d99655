"""The only holder of secrets: the encrypted seed file, what is derived from it, and signing.

Must not know: nodes, the network, the store, what a signature is for.
"""
