"""The HTML of results in a notebook: tables, pictures and captions, with all stored text escaped."""

from __future__ import annotations

import base64
import html
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import runner
from runner.contracts.figure import Drawing, Series
from tests.support.databases import opened, stored_in
from tests.support.experiment_texts import SMALL
from tests.support.paths import KEPT_DATABASE

EVIL = "<script>x</script>\x1b"
SHOWN = r"&lt;script&gt;x&lt;/script&gt;\x1b"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the twelve runs of the small experiment, whose objectives have hostile names."""
    path = stored_in(tmp_path_factory.mktemp("notebook"), SMALL)
    with opened(path) as connection:
        connection.execute("UPDATE setting SET name = ? || name WHERE kind = 'objective'", (EVIL,))
    return path


def test_answer_is_a_table_that_reports_further_rows(stored):
    with runner.open(stored) as database:
        whole = database.sql("SELECT id, objective FROM runs ORDER BY id LIMIT 1")
        part = database.sql("SELECT id, objective FROM runs ORDER BY id", limit=1)
    assert repr(whole) == "id  objective\n 1  <script>x</script>\\x1bquadratic"
    assert repr(part) == f"only the first 1 rows; limit= gives more\n{whole!r}"
    table = (
        "<table><thead><tr><th>id</th><th>objective</th></tr></thead><tbody><tr><td>1</td>"
        f"<td>{SHOWN}quadratic</td></tr></tbody></table>"
    )
    assert whole._repr_html_() == table
    assert part._repr_html_() == f"<p>only the first 1 rows; limit= gives more</p>{table}"


def test_comparison_shows_differences_and_pairs(stored):
    with runner.open(stored) as database:
        found = database.compare('objective like "%quadratic" and learning_rate = 0.1', "learning_rate = 0.3")
    first, second, third, fourth = repr(found).splitlines()[:4]
    assert first == "optimizer.learning_rate: A 0.1; B 0.3"
    assert second.startswith("pairs: 2; the final value is lower in A ")
    assert third == f"evaluations of the pairs: {found.evaluations[0]} in A, {found.evaluations[1]} in B"
    assert fourth == "only in B: 2"
    html = found._repr_html_()
    assert html.startswith("<p>optimizer.learning_rate: A 0.1; B 0.3</p><p>pairs: 2; ")
    assert html.endswith(found.matched._repr_html_())
    with runner.open(stored) as database:
        evil = database.compare('objective like "%quadratic"', 'objective like "%regression"')
    assert f"objective: A {SHOWN}quadratic; B {SHOWN}linear_regression" in evil._repr_html_()
    assert "<script>" not in evil._repr_html_()


def test_a_series_is_a_table_of_its_iterates():
    series = Series(np.array([2.0, np.nan]), np.array([1.0, 0.5]), np.array([[1.0, 2.0], [3.0, -0.5]]))
    assert series._repr_html_() == (
        "<table><thead><tr><th>step</th><th>value</th><th>gradient_norm</th><th>x0</th><th>x1</th></tr></thead><tbody>"
        "<tr><td>0</td><td>2</td><td>1</td><td>1</td><td>2</td></tr>"
        "<tr><td>1</td><td>nan</td><td>0.5</td><td>3</td><td>-0.5</td></tr></tbody></table>"
    )
    wide = Series(np.ones(1), np.ones(1), np.ones((1, 1000)), np.ones((1, 1000)))._repr_html_()
    assert wide.count("<th>") == 3 + 10 + 10


def test_drawing_is_a_picture_and_a_caption():
    figure = Figure()
    figure.subplots().plot([0, 1])
    html = Drawing(figure, f"How to read {EVIL}")._repr_html_()
    before, _, rest = html.partition("base64,")
    picture, _, after = rest.partition('"')
    assert before == '<figure><img src="data:image/png;'
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert after == f' alt="" style="max-width: 100%"><figcaption>How to read {SHOWN}</figcaption></figure>'


@pytest.mark.filterwarnings("ignore:Glyph")  # no font has the characters of this name
def test_a_stored_figure_is_shown(stored):
    with runner.open(stored) as database:
        drawing = database.figure("outcomes", "small")
    assert "<figcaption>" in drawing._repr_html_()


def test_matplotlib_is_loaded_for_pictures_only(stored):
    script = (
        "import sys, runner\n"
        f"with runner.open({str(stored)!r}) as database:\n"
        "    database.sql('SELECT 1')._repr_html_(), database.compare('steps > 0', 'steps > 0')._repr_html_()\n"
        "    [series._repr_html_() for _, series in database.trajectories(1)]\n"
        "print('matplotlib' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert (done.stdout, done.stderr) == ("False\n", "")


HOSTILE = "<script>alert(1)</script>\x1b[31m"


def test_notebook_and_terminal_show_the_same_facts_of_a_run(runner_cli):
    with runner.open(KEPT_DATABASE) as database:
        run = database.run(4)
    shown = run._repr_html_()
    facts = re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", shown)
    heading, *lines = runner_cli("show", 4, "--db", KEPT_DATABASE).out.partition("\n\n")[0].splitlines()
    assert shown.startswith(f"<table><caption>{heading}</caption><tbody><tr>")
    assert [(name, html.unescape(text)) for name, text in facts] == [
        tuple(re.split(r"  +", line.strip(), maxsplit=1)) for line in lines
    ]
    assert dict(facts)["rules"].startswith("divergence_limit = 1000, gradient_norm = 1e-5, max_steps = 30, ")


def test_text_of_a_run_is_escaped():
    with runner.open(KEPT_DATABASE) as database:
        run = database.run(4)
    evil = replace(run.optimizer, name=HOSTILE, parameters={HOSTILE: HOSTILE, "on": True, "off": False, "none": None})
    shown = replace(run, optimizer=evil, error=HOSTILE, outcome=HOSTILE, identity=HOSTILE, superseded_by=7)._repr_html_()
    assert "<script" not in shown
    assert "\x1b" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m" in shown
    assert ", on = true, off = false</td>" in shown
    assert ", superseded by run 7</caption>" in shown
