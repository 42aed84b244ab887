"""Reading: from questions to SQL, and from rows to tables, records and trajectories."""
