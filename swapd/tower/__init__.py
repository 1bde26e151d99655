"""A keyless watchtower: `swapd tower`.

Owns: keeping clients' packages and acting on them. Must not know: the engine, anybody's keys.
"""
