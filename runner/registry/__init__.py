"""The plugins: finds them, checks their classes, and makes them with their parameters."""
