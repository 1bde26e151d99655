"""The account chain of the simulated world: what differs from a chain of outputs."""
