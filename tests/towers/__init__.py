"""Watchtowers on real nodes: honest ones and rogues, and clients that are away."""
