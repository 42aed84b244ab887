"""Taylor models of first and second order in any dimension."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.command_line import Done


class TestModels:
    @pytest.mark.parametrize("arguments", [("rosenbrock", "--around", "-1.2,1"), ("himmelblau", "--around", "0.5"),
                                           ("styblinski_tang", "--set", "dimension=4", "--around", "1")])  # fmt: skip
    def test_errors_are_of_second_and_third_order(self, call, arguments):
        facts = call("inspect", *arguments, "--taylor", "2", "--format", "json").json
        assert [each["name"] for each in facts["directions"]] == ["steepest descent", "Newton's direction"]
        for direction in facts["directions"]:
            assert np.linalg.norm(direction["unit"]) == pytest.approx(1)
            slopes = {model["order"]: model["slope"]["value"] for model in direction["models"]}
            assert slopes == {1: pytest.approx(2, abs=0.02), 2: pytest.approx(3, abs=0.02)}

    def test_decreases_on_rosenbrock_by_hand(self, call):
        facts = call("inspect", "rosenbrock", "--around", "-1.2,1", "--taylor", "2", "--format", "json").json
        gradient, hessian = np.array([-215.6, -88.0]), np.array([[1330.0, 480.0], [480.0, 200.0]])
        unit = -gradient / np.linalg.norm(gradient)
        steepest = facts["directions"][0]
        t = np.array(facts["shown"])
        assert steepest["unit"] == pytest.approx(unit)
        assert steepest["models"][0]["decreases"] == pytest.approx(t * np.linalg.norm(gradient))
        assert steepest["models"][1]["decreases"] == pytest.approx(
            t * np.linalg.norm(gradient) - t * t / 2 * (unit @ hessian @ unit)
        )
        x = np.array([-1.2, 1.0])[:, None] + unit[:, None] * t
        assert steepest["actual"] == pytest.approx(24.2 - (100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2))

    def test_text(self, call):
        out = call("inspect", "rosenbrock", "--taylor", "1", "--around", "-1.2,1").out
        assert "along steepest descent, p = (0.925848, 0.377897)" in out
        assert "error of the model of order 1: slope 2.000 ± 0.001 against t; theory 2" in out
        assert "Newton" not in out

    @pytest.mark.parametrize(("arguments", "error"), [
        (("rosenbrock", "--taylor", "3"), "rosenbrock: --taylor 3: must be 1 or 2, because the objective has dimension 2; higher orders need dimension 1"),
        (("rosenbrock", "--taylor", "2", "--around", "1"), "rosenbrock: the gradient is zero or not finite at [1.0, 1.0], so there is no direction of descent; choose another --around"),
        (("rosenbrock", "--taylor", "2", "--around", "1,2,3"), "rosenbrock: --around gives 3 coordinates, but the objective has dimension 2: give 2, or one for all"),
    ])  # fmt: skip
    def test_refusals(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", *arguments) == Done(2, "", f"error: {error}\n")
