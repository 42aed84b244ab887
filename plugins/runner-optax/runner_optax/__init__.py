"""Optimizer `optax` for runner: one plugin, in `runner_optax.optax`."""
