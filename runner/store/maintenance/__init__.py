"""Maintenance of a database: backup, copy, delete, upgrade, summary."""
