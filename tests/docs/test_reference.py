"""The reference pages: each public name, key, command and plugin stands on a page."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import runner
import runner.testing
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.plugin import Kind
from runner.experiment.model import StoppingRules
from runner.experiment.reader import KEYS, RecordTable
from runner.registry.catalogue import RESERVED

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PUBLIC_NAMES = re.compile(r"^```\{public-names\} (\S+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = {
    "objective": "objectives",
    "gradient": "gradient_backends",
    "optimizer": "optimizers",
    "executor": "executors",
    "figure": "figures",
}


def names_on_pages(module: str) -> Counter[str]:
    """Return the names that the pages document, with the number of times that each is documented."""
    return Counter(
        name
        for path in sorted((REFERENCE / "python").glob("*.md"))
        for found, body in PUBLIC_NAMES.findall(path.read_text(encoding="utf-8"))
        if found == module
        for name in body.split()
        if not name.startswith(":")
    )


def test_each_public_name_is_documented_once_in_its_namespace():
    namespaces = {name: names_on_pages(f"runner.{name}") for name in runner.NAMESPACES}
    for name, documented in namespaces.items():
        assert documented == Counter(dir(getattr(runner, name)))
    elsewhere = names_on_pages("runner")
    assert elsewhere + sum(namespaces.values(), Counter()) == Counter(set(dir(runner)) - set(runner.NAMESPACES))


def test_each_name_of_the_checks_is_documented_once():
    assert names_on_pages("runner.testing") == Counter(runner.testing.__all__)


@pytest.mark.parametrize(("kind", "page"), PAGES.items())
def test_each_kind_of_plugin_has_a_generated_page(kind: str, page: str):
    assert f"```{{plugins}} {kind}\n" in (REFERENCE / "plugins" / f"{page}.md").read_text(encoding="utf-8")


def test_each_key_of_the_experiment_file_is_documented():
    text = (REFERENCE / "experiment_file.md").read_text(encoding="utf-8")
    sections = {
        heading: set(re.findall(r"^\| `([a-z_]+)`", body, re.MULTILINE))
        for heading, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    }
    assert sections["First level"] == set(KEYS)
    assert sections["`objective`, `gradient` and `optimizer`"] == set(RESERVED["optimizer"])
    assert sections["`start`"] == {"points", "uniform", "normal", "initialisation"}
    assert sections["`stop`"] == set(StoppingRules.__dataclass_fields__)
    assert sections["`record`"] == set(RecordTable.__dataclass_fields__)
    assert sections["`execution`"] == set(RESERVED["executor"]) - {"name", "zip"}
    assert sections["`report`"] == {"figures", "target"}


def test_each_outcome_and_behaviour_is_in_the_glossary():
    text = (REFERENCE / "glossary.md").read_text(encoding="utf-8")
    assert [word for word in (*runner.Outcome, *runner.Behaviour, *runner.Reached) if f"`{word}`" not in text] == []


@pytest.mark.parametrize("kind", [kind for kind, row in PLUGIN_KINDS.items() if row.capabilities and kind != "executor"])
def test_each_kind_with_capabilities_has_their_table_and_their_protocols(kind: Kind):
    page = (REFERENCE / "python" / f"{PAGES[kind]}.md").read_text(encoding="utf-8")
    assert f"```{{capabilities}} {kind}\n" in page
    assert {each.protocol.__name__ for each in PLUGIN_KINDS[kind].capabilities} <= set(page.split())
