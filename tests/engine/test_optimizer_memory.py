"""The memory of optimizers, cut and compared by rows."""

from __future__ import annotations

import numpy as np

from runner.engine.optimizer_memory import array_without_rows, same_row, take_memory


class TestMemory:
    def test_rows_of_memory_are_taken_where_they_belong_to_runs(self):
        rows = np.array([True, False, True])
        memory = {"a": np.arange(3), "b": (np.ones((3, 2)), [np.zeros(5), 7]), "c": None}
        cut = take_memory(memory, rows, 3)
        np.testing.assert_array_equal(cut["a"], [0, 2])
        assert cut["b"][0].shape == (2, 2)
        assert cut["b"][1][0].shape == (5,)
        assert (cut["b"][1][1], cut["c"]) == (7, None)

    def test_memory_of_a_run_is_compared_bit_for_bit(self):
        together = {"a": np.array([[1.0], [2.0]]), "b": [np.array([0.0, np.nan])], "c": 3}
        assert same_row(together, 1, {"a": np.array([[2.0]]), "b": [np.array([np.nan])], "c": 4})
        assert not same_row(together, 0, {"a": np.array([[1.0]]), "b": [np.array([-0.0])], "c": 3})
        assert not same_row(together, 0, {"a": np.array([[1.0]]), "c": 3})
        assert not same_row(together, 0, {"a": np.array([[1.0]]), "b": [np.array([0])], "c": 3})
        objects = np.array([{}, []], dtype=object)
        assert same_row(objects, 0, np.array([{}], dtype=object))

    def test_constant_is_distinguished_from_rows_by_its_length(self):
        assert array_without_rows((np.zeros(3), {"a": np.zeros((3, 2))}, np.float64(1.0), np.zeros(())), 3) is None
        assert array_without_rows((np.zeros(3), {"a": np.zeros((2, 3))}), 3).shape == (2, 3)
