"""`runner plugins show`: everything that is known about a plugin."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from runner.registry.registry import Registry
from runner.testing.check import Finding
from runner.testing.child_process import CheckedPlugin, CheckRequest, run_checks
from tests.support.bowl_plugin import VALUE, changed
from tests.support.command_line import Done
from tests.support.paths import ROOT


class TestShow:
    @pytest.fixture
    def here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Run the checks in this process, to save time."""

        def findings(request: CheckRequest, seconds: float) -> Iterator[CheckedPlugin | Finding]:
            yield from (each for each in run_checks(request) if isinstance(each, CheckedPlugin | Finding))

        monkeypatch.setattr("runner.cli.plugins.show.check_in_child_process", findings)

    def test_an_optimizer(self, call):
        done = call("plugins", "show", "gradient_descent")
        (offer,) = [offer for offer in Registry().offers() if offer.name == "gradient_descent"]
        file = ROOT / "plugins" / "runner_plugins" / "optimizers" / "gradient_descent.py"
        lines = done.out.splitlines()
        assert (done.code, done.err) == (0, "")
        assert lines[:3] == ["optimizer gradient_descent", "", f"  {offer.summary}"]
        assert lines[-9:] == [
            "parameter      type   default  allowed       meaning",
            "learning_rate  float  0.1      a number > 0  step size for a gradient of length 1, γ",
            "",
            "needs       gradient",
            "batch-safe  yes",
            f"from        gradient-runner {offer.version}, entry point gradient_descent",
            f"file        {file}",
            "",
            'optimizer = [{ name = "gradient_descent", learning_rate = 0.1 }]',
        ]

    @pytest.mark.parametrize(
        ("name", "lines"),
        [
            ("newton", ["needs       gradient, Hessian"]),
            ("finite_difference", ["offers      gradient, Hessian, Jacobian of residuals, shared work for value and gradient"]),
            ("sin_quadratic", ["offers      gradient, Hessian, minimum, start region, curvature bounds"]),
            ("serial", ['execution = { executor = "serial" }']),
            ("outcomes", ['report = { figures = ["outcomes"] }']),
            ("clipped", ['optimizer = [{ name = "clipped", optimizer = { name = "gradient_descent" }, max_norm = 1.0 }]']),
        ],
    )
    @pytest.mark.usefixtures("here")
    def test_capabilities_and_needs(self, call, name: str, lines: list[str]):
        done = call("plugins", "show", name)
        assert (done.code, done.err) == (0, "")
        assert set(lines) <= set(done.out.splitlines())

    def test_plugin_that_is_not_batch_safe(self, write, call):
        write(changed(VALUE, "return (self.s * x * x).sum(axis=-1) + 0.1 * len(x)"), "bowl.py")
        done = call("plugins", "show", "bowl.py")
        assert done.code == 0
        assert re.search(r"^batch-safe  no: Bowl\.value is not batch-safe: the result for a row alone differs from that for "
                         r"the same row in a batch of 5\. ", done.out, re.MULTILINE)  # fmt: skip
        assert done.out.splitlines()[-2:] == ['plugins = ["bowl.py"]', 'objective = [{ name = "test_bowl", s = 1.0 }]']

    def test_an_unknown_name(self, call):
        done = call("plugins", "show", "gradient_decent")
        assert done == Done(2, "", "error: there is no plugin 'gradient_decent'; did you mean gradient_descent?\n")
