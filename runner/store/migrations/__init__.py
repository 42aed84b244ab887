"""The migrations from one schema of the results database to the next."""
