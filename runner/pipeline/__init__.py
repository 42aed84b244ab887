"""The stages of an experiment: plan, try the first steps, compute, store.

`plan` reads the experiment and compares its grid with the database. `execute` computes and stores the missing runs, with the help
of the other modules: `first_steps`, `known_minima`, `work_sharing` and `lost_batches`.
"""
