"""The contract between the engine and its plugins. Read this page first.

A plugin consists of a class, which derives from the class of its kind, and a hook, which offers the class under a name. Each kind
has a file:

    objective.py         a function f to minimise, and its optional members: gradient, Hessian, minimum, data
    gradient_backend.py  a way to differentiate any objective
    optimizer.py         a rule that moves from one iterate to the next, and the point that it sees
    executor.py          the place where batches are computed
    figure.py            a picture, and the stored results that it is drawn from

The other files serve all kinds:

    kinds.py             the table of all kinds and of their capabilities
    plugin.py            the base class of every plugin
    parameters.py        the parameters of a plugin, read from its fields
    hookspecs.py         the hooks
    arrays.py            linear algebra that treats each row by itself
    outcomes.py          the ways in which a run can end, and in which f can change

Shapes. Many runs advance together, as a batch. The first axis of an array holds the runs, the last one holds coordinates:

    x         (runs, dimension)               value     (runs,)
    gradient  (runs, dimension)               hessian   (runs, dimension, dimension)
    residuals (runs, residuals)               jacobian  (runs, residuals, dimension)

All numbers are float64. Write a plugin as if for one point, with `...`, `axis=-1` and broadcasting: it then serves a whole batch.

Parameters. A plugin is a `@dataclass(frozen=True)`, and its fields are its parameters (see `runner.parameter`). A field usually
holds a number. In a batch whose runs differ in a float parameter, the field holds a column `(runs, 1)` with the number of each
run. Therefore combine a parameter with arrays of shape `(runs, n)` before you reduce them to `(runs,)`.

Capabilities. A plugin may offer more than the class of its kind requires. Its class then has further methods or properties, and
needs no registration. For example, an objective offers its Hessian if it has a method `hessian`. For each capability there is a
protocol, and `isinstance(objective, HasHessian)` is true if and only if the objective's class has the members of that protocol.
"""
