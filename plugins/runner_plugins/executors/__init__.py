"""Places to compute."""
