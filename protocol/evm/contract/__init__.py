"""The HTLC contract of the EVM legs: source, settings, ABI and code, and how they are read."""
