"""Maintenance of a database: backup, copy, deletion, upgrade and summary."""
