"""The control socket: JSON-RPC 2.0 over a unix socket, and clients of it.

Owns: framing, validation, limits, idempotency, subscriptions, the OpenRPC document and the
reference made from the table in `swapd.api`. Must not know: the engine; it serves anything that
implements `swapd.api.operations.Operations`.
"""
