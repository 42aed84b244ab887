"""The experiment: its TOML file, the reader of this file, and the grid of runs that it describes."""
