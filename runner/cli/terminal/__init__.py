"""The terminal: tables, progress, options and messages that several commands share."""
