"""The results database: its schema, and how it is written, read, maintained and verified."""
