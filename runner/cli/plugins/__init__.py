"""The command `runner plugins` and its commands."""
