"""Figures for Prometheus, on this machine only."""
