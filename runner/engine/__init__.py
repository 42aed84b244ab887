"""The engine, which advances a batch of runs step by step and determines the outcome of each run."""
