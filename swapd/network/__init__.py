"""The peer-to-peer network: libp2p in a supervised child process, and its client in the daemon.

Owns: everything libp2p. The daemon imports `client` only, which never imports libp2p; the child
(`child`, `node` and what they use) holds the network key and nothing else of value. Must not know:
offers, swaps, chains. What gossip is worth forwarding is asked of one pure function by name.
"""
