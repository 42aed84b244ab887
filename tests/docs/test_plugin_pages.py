"""The page of each kind of plugin: its smallest plugin keeps the contract, and its mistakes are reported as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.contracts.kinds import PLUGIN_KINDS
from runner.testing.check import FAILED, Finding
from runner.testing.child_process import CheckRequest, run_checks
from tests.support.paths import DOCS

FOLDER = DOCS / "how_to" / "plugins"
PAGES = [FOLDER / f"{kind}.md" for kind in PLUGIN_KINDS]
MISTAKE = re.compile(
    r"^`(?P<new>[^`\n]+)` instead of `(?P<old>[^`\n]+)`\.(?P<why>[^`]*?)\n\n```text\n(?P<said>(?:[^`].*\n)*)```", re.MULTILINE
)


def smallest(text: str) -> tuple[str, str]:
    """The name of the plugin file on a page, and its text."""
    (name,) = set(re.findall(r"`runner plugins check (\w+\.py)`", text))
    (plugin,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return name, plugin


def said(name: str, plugin: str, old: str, new: str, folder: Path) -> str:
    """The problems that the checks of a plugin find after a change."""
    assert plugin.count(old) == 1, old
    (folder / name).write_text(plugin.replace(old, new), encoding="utf-8")
    found = run_checks(CheckRequest(name))
    return "\n".join(str(each) for each in found if isinstance(each, Finding) and each.verdict == FAILED)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_smallest_plugin_keeps_the_contract(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, plugin = smallest(page.read_text(encoding="utf-8"))
    docstring = 1
    assert len([line for line in plugin.splitlines() if line.strip()]) - docstring <= 15
    assert said(name, plugin, plugin, plugin, tmp_path) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_mistake_is_reported_as_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    name, plugin = smallest(text)
    mistakes = list(MISTAKE.finditer(text))
    assert len(mistakes) == text.count("```text") >= 3
    for mistake in mistakes:
        assert said(name, plugin, mistake["old"], mistake["new"], tmp_path) == mistake["said"].rstrip("\n"), mistake["new"]


@pytest.mark.parametrize("page", [FOLDER / "index.md", *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target
