"""Everything that people ask of stored results: `runner.open`, drawing, comparison, export and replay."""
