"""Writing: one transaction for each batch, and the claims by which several writers share the work."""
