"""Pictures of inspections."""
