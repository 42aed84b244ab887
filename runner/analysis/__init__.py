"""What stored runs say: quantiles over starts, curvature and stability, the best setting of each optimizer. Pure functions."""
