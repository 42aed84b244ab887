"""Verification: checks that everything stored is whole."""
