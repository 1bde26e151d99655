"""Tests, and the demo and benchmark that share their helpers."""
