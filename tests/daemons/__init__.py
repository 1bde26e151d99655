"""Real swapd processes for tests, the demo and the benchmark."""
