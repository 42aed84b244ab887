"""Rules that move from one iterate to the next."""
