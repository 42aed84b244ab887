"""Reading: from a question to SQL, and from rows to tables, records and trajectories."""
