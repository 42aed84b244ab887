"""Messages for runs, experiments and plugins that do not exist."""

from __future__ import annotations

import pytest

from tests.support.databases import run_into
from tests.support.experiment_texts import SMALL


class TestUnknownNames:
    """Every command reports an unknown plugin as a wrong call, and a plugin that cannot be loaded as another error."""

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("run", "wrong.toml"), "wrong.toml: optimizer[0].name: there is no optimizer 'newtonn'; did you mean newton?"),
            (
                ("run", "small.toml", "--executor", "processe"),
                "--executor: there is no executor 'processe'; did you mean processes?",
            ),
            (("inspect", "quadratik"), "there is no objective 'quadratik'; did you mean quadratic?"),
            (("inspect", "quadratic", "--plugin", "none.py"), "none.py: cannot be read: No such file or directory"),
            (("inspect", "quadratic", "--plugin", "small.toml"), "small.toml: a plugin file ends in .py"),
            (("plugins", "show", "newtonn"), "there is no plugin 'newtonn'; did you mean newton?"),
            (("plugins", "check", "newtonn"), "there is no plugin 'newtonn'; did you mean newton?"),
            (("plugins", "check", "none.py"), "none.py: cannot be read: No such file or directory"),
            (("plot", "small", "--figure", "rate"), "figure: there is no figure 'rate'; did you mean rates?"),
            (("plot", "small", "--figure", "rates", "--plugin", "none.py"), "none.py: cannot be read: No such file or directory"),
            (("report", "small", "--figure", "rate"), "figure: there is no figure 'rate'; did you mean rates?"),
            (("verify", "--replay", "1", "--plugin", "none.py"), "none.py: cannot be read: No such file or directory"),
        ],
    )
    def test_unknown_name_is_a_wrong_call(self, write, tmp_path, call, arguments: tuple[str, ...], error: str):
        run_into(write(), tmp_path / "r.db")
        write(SMALL.replace("gradient_descent", "newtonn"), "wrong.toml")
        done = call(*arguments, RUNNER_DB="r.db")
        assert (done.code, done.err) == (2, f"error: {error}\n")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("inspect", "quadratic", "--plugin", "broken.py"),
            ("plugins", "show", "broken.py"),
            ("plot", "small", "--figure", "rates", "--plugin", "broken.py"),
            ("verify", "--replay", "1", "--plugin", "broken.py"),
        ],
    )
    def test_plugin_that_cannot_be_loaded_is_not_a_wrong_call(self, write, tmp_path, call, arguments: tuple[str, ...]):
        run_into(write(), tmp_path / "r.db")
        write("1 / 0", "broken.py")
        done = call(*arguments, RUNNER_DB="r.db")
        assert (done.code, done.err) == (3, "error: broken.py, line 1: cannot be loaded: ZeroDivisionError: division by zero\n")
