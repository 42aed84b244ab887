"""The calculus of one objective: derivatives, curvature, Taylor series and convexity, for text, JSON and pictures."""
