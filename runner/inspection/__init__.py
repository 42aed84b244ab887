"""What can be known of one objective: its derivatives, curvature, series and convexity, as facts that are printed or drawn."""
