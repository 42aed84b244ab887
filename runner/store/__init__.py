"""The results database: schema, writing, reading. SQLAlchemy lives here and nowhere else."""

from runner.store.claims import Division as Division
from runner.store.current import StoredState as StoredState
from runner.store.reading import StoredResults as StoredResults
from runner.store.reading import read_results as read_results
from runner.store.writing import Recording as Recording
from runner.store.writing import Store as Store
