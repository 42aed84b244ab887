"""The use of stored results: `runner.open`, drawing, comparison, export and replay."""
