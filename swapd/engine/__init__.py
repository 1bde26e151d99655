"""Runs swaps and the market: event in, journal, act. Knows no adapter."""
