"""Mistakes in a file, a plugin or a database, in a process: one clear message, an exit code, and nothing written.

Most cases call `main` in this process, which gives the same results and saves the second that a new process needs to start;
`TestAsAProcess` shows that a process says the same.
"""

from __future__ import annotations

from tests.support.command_line import Done
from tests.support.databases import opened
from tests.support.folders import folder_contents
from tests.support.plugin_texts import PLUGIN, VALUE
from tests.support.refused_experiments import experiment


class TestAsAProcess:
    SEVEN = experiment(
        top='nmae = "seven"',
        objective='name = "quadratic"\ndimension = 1.5',
        gradient='name = "analitic"',
        optimizer='name = "gradient_descent"\nlerning_rate = 0.1\nlearning_rate = -1',
        end='[stop]\ngradient_norm = "small"\n[execution]\nmax_batch = 0',
    )
    PROBLEMS = (
        "error: bad.toml: nmae: there is no such key; did you mean name?",
        "bad.toml: objective[0].dimension: must be a whole number >= 1, not 1.5",
        "bad.toml: gradient[0].name: there is no gradient 'analitic'; did you mean analytic?",
        "bad.toml: optimizer[0].lerning_rate: gradient_descent has no such parameter; did you mean learning_rate?",
        "bad.toml: optimizer[0].learning_rate: must be a number > 0, not -1",
        "bad.toml: execution.max_batch: must be a whole number >= 1, not 0",
        "bad.toml: stop.gradient_norm: must be a number >= 0 or absent, not 'small'",
    )

    def test_all_mistakes_of_a_file_are_reported_at_once(self, tmp_path, write, runner_cli, call):
        write(self.SEVEN, "bad.toml")
        before = folder_contents(tmp_path)
        done = runner_cli("run", "bad.toml")
        assert done.err.splitlines() == list(self.PROBLEMS)
        assert (done.code, done.out) == (2, "")
        assert done == call("run", "bad.toml"), "a call in this process must say the same"
        assert folder_contents(tmp_path) == before

    def test_a_missing_file(self, tmp_path, runner_cli):
        done = runner_cli("run", "missing.toml")
        assert done == Done(2, "", "error: missing.toml: the experiment file cannot be read: No such file or directory\n")
        assert folder_contents(tmp_path) == {}

    def test_an_unknown_figure_is_reported_before_anything_runs(self, tmp_path, write, runner_cli):
        write(experiment(end='[report]\nfigures = ["outcomes", "convergense"]'), "bad.toml")
        before = folder_contents(tmp_path)
        done = runner_cli("run", "bad.toml")
        assert done == Done(
            2, "", "error: bad.toml: report.figures[1]: there is no figure 'convergense'; did you mean convergence?\n"
        )
        assert folder_contents(tmp_path) == before

    def test_a_database_of_another_program(self, tmp_path, write, runner_cli):
        write(experiment())
        with opened(tmp_path / "notes.db") as connection:
            connection.execute("CREATE TABLE notes (text)")
        before = folder_contents(tmp_path)
        done = runner_cli("run", "small.toml", "--db", "notes.db")
        message = "error: database notes.db: belongs to another program (its tables: notes); name another file\n"
        assert done == Done(4, "", message)
        assert folder_contents(tmp_path) == before

    def test_a_broken_plugin(self, tmp_path, write, runner_cli):
        write(PLUGIN.replace(VALUE, "return x * x"), "my.py")
        write(experiment(top='plugins = ["my.py"]', objective='name = "bowl"'), "bad.toml")
        before = folder_contents(tmp_path)
        done = runner_cli("run", "bad.toml", "-q", "--no-report", env={"PYTHONDONTWRITEBYTECODE": ""})
        assert done == Done(
            1,
            "",
            "warning: bowl × analytic × gradient_descent: the only run cannot take a step: Bowl.value returned an array of shape "
            "(1, 1) and type float64 for x of shape (1, 1); it must return a float64 array of shape (1,)\n",
        )
        assert set(folder_contents(tmp_path)) - set(before) == {"results", "results/runner.db"}, "no bytecode beside the plugin"

    def test_debug_shows_where_an_expected_error_arose(self, runner_cli):
        done = runner_cli("--debug", "run", "missing.toml")
        assert done.code == 1
        assert done.err.startswith("Traceback (most recent call last):\n")
        last = "runner.errors.ExperimentError: missing.toml: the experiment file cannot be read: No such file or directory"
        assert done.err.splitlines()[-1] == last
