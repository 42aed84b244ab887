"""The life of an experiment: plan, try the first steps, compute, store."""
