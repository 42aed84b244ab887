"""The experiment: reads its TOML file and expands it into a grid of runs."""
