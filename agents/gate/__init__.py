"""The gate: whether a candidate may follow its baseline, by its golden tests run on both."""
