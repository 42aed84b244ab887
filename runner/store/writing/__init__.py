"""Writing: one transaction for each batch, and the claims by which several processes share the work."""
