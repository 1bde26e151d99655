"""A deterministic world that tries to steal: simulated chains, parties, checkers, mutants."""
