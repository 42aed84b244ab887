"""The small language that says which runs: its syntax tree, and how a text becomes one. It knows nothing of databases."""
