"""Gradient backend `jax` for runner: one plugin, in `runner_jax.jax`."""
