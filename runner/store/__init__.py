"""The results database: schema, writing, reading. SQLAlchemy lives here and nowhere else."""

from runner.store.reading import StoredResults as StoredResults
from runner.store.reading import read_results as read_results
from runner.store.writing import Store as Store
from runner.store.writing import StoredState as StoredState
