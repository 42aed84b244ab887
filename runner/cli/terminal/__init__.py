"""The options, tables, messages and the progress display that several commands share."""
