"""The engine: advances a batch of runs, step by step, and says how each run ended."""
