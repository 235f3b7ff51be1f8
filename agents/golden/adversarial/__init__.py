"""Attacks on agents as golden tests: a suite of our own, and imported ones."""
