"""What a plugin implements. Read this file first: the whole contract is here.

Shapes. Coordinates are on the last axis and a leading axis holds runs, which advance together:

    x         (runs, dimension)               value     (runs,)
    gradient  (runs, dimension)               hessian   (runs, dimension, dimension)
    residuals (runs, residuals)               jacobian  (runs, residuals, dimension)

float64 throughout. Write a plugin as for one point, with `...`, `axis=-1` and broadcasting, and it serves thousands.

Parameters. A plugin is a `@dataclass(frozen=True)`; its fields are its parameters (see `runner.parameter`). Where a sweep varies
a float field, the field holds a column `(runs, 1)` instead of a number. So combine it with arrays of shape `(runs, n)`, before
reducing to `(runs,)`.

Capabilities. What a plugin does not know, it does not have: an objective without a Hessian has no `hessian` method. The
protocols below name what may be offered, and `isinstance(objective, HasHessian)` asks its class.
"""
