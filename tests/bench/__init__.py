"""Measurements: each is a program of its own, `python -m tests.bench.<name>`."""
