"""The chain rule through the layers of a network."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest


class TestTheChain:
    def test_each_layer_of_a_network(self, call):
        facts = call("inspect", "neural_network", "--set", "hidden=[4, 3]", "--format", "json").json
        assert facts["place"]["why"] == "a start drawn by the objective with seed 0"
        chain, gradient = facts["chain"], np.array(facts["gradients"][0]["result"])
        assert len(chain) == 3
        first = chain[0]["weights"]
        assert first == 4
        assert np.linalg.norm(gradient[:first]) == pytest.approx(chain[0]["gradient_norm"], rel=1e-12)
        for lower, upper in itertools.pairwise(chain):
            assert lower["reaching"] <= upper["reaching"] * upper["jacobian_norm"] * (1 + 1e-12)
            assert lower["bound"] == pytest.approx(upper["bound"] * upper["jacobian_norm"])
        assert chain[-1]["bound"] == chain[-1]["reaching"]

    def test_text(self, call):
        out = call("inspect", "neural_network", "--set", "hidden=[4, 3]").out
        lines = out.splitlines()
        place = lines.index(
            "the chain rule, from the last layer back: the gradient that reaches a layer is a product over all layers above it"
        )
        assert [line[:8] for line in lines[place + 2 :]] == ["layer 3:", "layer 2:", "layer 1:"]

    def test_other_objectives_are_refused(self, call):
        assert json.loads(call("inspect", "quadratic", "--format", "json").out)["chain"] == []
