"""`runner plugins check`, as a process: it survives whatever the plugin does."""

from __future__ import annotations

import pytest

from tests.support.bowl_plugin import BOWL, VALUE, changed
from tests.support.command_line import Done

HEAD = (
    "ok       loads\nobjective test_bowl, from bowl.py\nok       name\nok       made\nok       docstring\nok       parameters\n"
)


class TestAsAProcess:
    def test_sound_plugin_file(self, write, runner_cli):
        write(BOWL, "bowl.py")
        done = runner_cli("plugins", "check", "bowl.py")
        assert done == Done(
            0,
            f"{HEAD}ok       validate\nok       domain\nok       shapes\nok       purity\nok       batch\nok       sweeps\n"
            "skipped  gradient: because it offers no gradient\nok       complex numbers\nskipped  complex step: because it offers no gradient\n"
            "skipped  Hessian: because it offers no Hessian\nskipped  residuals: because it offers no residuals with their Jacobian\n"
            "skipped  shared work: because it offers no shared work for value and gradient\nskipped  minimum: because it offers no minimum\n"
            "skipped  curvature bounds: because it offers no curvature bounds\n"
            "skipped  starts: because it offers no starts of its own\n"
            "skipped  layers: because it offers no layers\n"
            "skipped  data: because it offers no data with predictions\n"
            "12 ok, 0 failed, 10 skipped\n",
            "",
        )

    def test_plugin_that_never_returns(self, write, call):
        write(changed(VALUE, "time.sleep(1000)"), "bowl.py")
        done = call("plugins", "check", "bowl.py", "--timeout", "4")
        last = "failed   shapes: it did not return within 4 s; later checks were not run\n"
        assert done == Done(3, f"{HEAD}ok       validate\nok       domain\n{last}7 ok, 1 failed, 0 skipped\n", "")

    @pytest.mark.parametrize(
        ("death", "words"),
        [
            ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
            pytest.param("os._exit(7)", "exit code 7", marks=pytest.mark.slow),
            pytest.param("raise SystemExit(5)", "exit code 5", marks=pytest.mark.slow),
        ],
    )
    def test_plugin_that_ends_its_process(self, write, call, death: str, words: str):
        write(changed(VALUE, death), "bowl.py")
        done = call("plugins", "check", "bowl.py")
        last = f"failed   shapes: the plugin ended the process of the checks ({words}); later checks were not run"
        assert (done.code, done.err, done.out.splitlines()[-2:]) == (3, "", [last, "7 ok, 1 failed, 0 skipped"])

    def test_plugin_whose_import_never_returns(self, write, call):
        write(changed("@runner.hookimpl", "time.sleep(1000)\n@runner.hookimpl"), "bowl.py")
        done = call("plugins", "check", "bowl.py", "--timeout", "2")
        line = "failed   loads: it did not return within 2 s; later checks were not run\n"
        assert done == Done(3, f"{line}0 ok, 1 failed, 0 skipped\n", "")

    def test_output_of_the_plugin_is_kept_apart(self, write, runner_cli):
        write(changed(VALUE, f"print('hello')\n        {VALUE}"), "bowl.py")
        done = runner_cli("plugins", "check", "bowl.py")
        assert done.code == 0
        assert "hello" not in done.out
        assert "hello" in done.err
