"""Functions to minimise."""
