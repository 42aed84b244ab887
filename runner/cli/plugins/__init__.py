"""The command `runner plugins` and its subcommands."""
