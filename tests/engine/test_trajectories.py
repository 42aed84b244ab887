"""The chunks of a trajectory."""

from __future__ import annotations

import pytest

from runner.engine import recording
from runner.engine.loop import descend
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.batches import column, make_batch, result, series


class TestChunks:
    def test_chunks_join_without_a_gap_and_do_not_depend_on_memory(self, monkeypatch: pytest.MonkeyPatch):
        batch = make_batch(Quadratic(), GradientDescent(column([1e-4, 0.01, 1e-5])), [[1.0], [2.0], [3.0]],
                           max_steps=5000, gradient_norm=1e-9)  # fmt: skip
        in_memory = descend(batch).trajectories
        monkeypatch.setattr(recording, "MEMORY_BYTES", 1)
        on_disk = descend(batch).trajectories
        assert [result(trajectory) for trajectory in on_disk] == [result(trajectory) for trajectory in in_memory]
        for trajectory in in_memory:
            ends = [chunk.first_step + chunk.count for chunk in trajectory.chunks]
            assert [chunk.first_step for chunk in trajectory.chunks] == [0, *ends[:-1]]
            assert ends[-1] == trajectory.steps + 1
            assert len(trajectory.chunks) > 1
        assert in_memory[1].steps < 5000

    def test_iterates_need_not_be_recorded(self):
        (trajectory,) = descend(make_batch(Quadratic(3), GradientDescent(0.1), [[1.0, 2.0, 3.0]], record_x=False)).trajectories
        assert series(trajectory).shape == (2, trajectory.steps + 1)
