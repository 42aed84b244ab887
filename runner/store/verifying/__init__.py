"""Verification: checks that everything stored is undamaged."""
