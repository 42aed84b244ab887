"""Experiment files, as text."""

from __future__ import annotations

SMALL = """\
name = "small"

[[objective]]
name = "quadratic"

[[objective]]
name = "linear_regression"
samples = 20

[[gradient]]
name = "analytic"

[[optimizer]]
name = "gradient_descent"
learning_rate = { values = [0.1, 0.3, 1.1] }

[start]
uniform = { low = -3.0, high = 3.0, count = 2, seed = 0 }

[stop]
max_steps = 50
gradient_norm = 1e-6
"""


# Each run takes a few hundredths of a second, so that kills fall between them.
SLOW = SMALL.replace("max_steps = 50", "max_steps = 1500").replace("gradient_norm = 1e-6", "divergence_limit = inf")
ONE_BY_ONE = SLOW + "[execution]\nmax_batch = 1\n"
