"""The documentation site: it builds without a warning, needs no network, and its generated pages are complete."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from runner.cli import commands
from runner.registry.registry import Registry

DOCS = Path(__file__).parents[2] / "docs"
LOADED = re.compile(
    r'<(?:script|img|iframe|source|video|audio|object|embed)\b[^>]*?\b(?:src|data|srcset)="((?:https?:)?//[^"]*)"'
)
LINKED = re.compile(r'<link\b[^>]*?\bhref="((?:https?:)?//[^"]*)"')
IN_STYLES = re.compile(r"(?:@import\s+|url\(\s*)[\"']?((?:https?:)?//[^\"')\s]*)")
HREF = re.compile(r'<a\b[^>]*?\bhref="([^"]+)"')
PAGES = {
    "objective": "objectives",
    "gradient": "gradient_backends",
    "optimizer": "optimizers",
    "executor": "executors",
    "figure": "figures",
}


@pytest.mark.slow
def test_the_site_is_whole(tmp_path: Path):
    options = ["-W", "--keep-going", "-q", "-E", "-b", "html", "-d", tmp_path / "trees"]
    command = [sys.executable, "-m", "sphinx", *options, DOCS, tmp_path / "html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    site = tmp_path / "html"
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}
    assert len(pages) > 30
    assert list(requests(site, pages)) == []
    assert list(broken_links(site, pages)) == []
    assert list(missing_commands(pages[site / "reference" / "command_line.html"])) == []
    assert list(missing_exit_codes(pages[site / "reference" / "exit_codes.html"])) == []
    assert list(missing_plugins(site, pages)) == []


def requests(site: Path, pages: dict[Path, str]) -> Iterator[str]:
    """Yield what a browser would load from another host."""
    for path, text in pages.items():
        yield from (f"{path.name}: {url}" for pattern in (LOADED, LINKED) for url in pattern.findall(text))
    for path in sorted(site.rglob("*.css")):
        yield from (f"{path.name}: {url}" for url in IN_STYLES.findall(path.read_text(encoding="utf-8")))


def broken_links(site: Path, pages: dict[Path, str]) -> Iterator[str]:
    """Yield the links within the site that lead nowhere."""
    targets = {path: set(re.findall(r'\b(?:id|name)="([^"]+)"', text)) for path, text in pages.items()}
    for path, text in pages.items():
        for href in map(unescape, HREF.findall(text)):
            if re.match(r"[a-z]+:|//", href):
                continue
            file, _, fragment = href.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            if not target.exists() or (fragment and target in targets and unquote(fragment) not in targets[target]):
                yield f"{path.relative_to(site)}: {href}"


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and its subcommands, each with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None
            yield from walk(subcommand, f"{path} {name}")


def missing_commands(page: str) -> Iterator[str]:
    """Yield the commands without a section, and the options and arguments that their sections do not name."""
    sections = dict(re.findall(r'<section id="(runner[^"]*)">(.*?)(?=<section |</article>)', page, re.DOTALL))
    for path, command in walk(commands, "runner"):
        section = sections.get(path.replace(" ", "-"))
        if section is None:
            yield path
            continue
        text = unescape(re.sub(r"<[^>]+>", "", section))
        for parameter in command.params:
            names = parameter.opts if isinstance(parameter, click.Option) else [parameter.make_metavar(click.Context(command))]
            yield from (f"{path} {name}" for name in names if name not in text)


def missing_exit_codes(page: str) -> Iterator[str]:
    """Yield the exit codes that are in the help and missing on the page."""
    on_page = set(re.findall(r"(\d+)</span></code>", page))
    in_help = set(re.findall(r"^ +(\d+) ", commands.epilog or "", re.MULTILINE))
    assert len(in_help) == 9
    yield from sorted(in_help - on_page)


def missing_plugins(site: Path, pages: dict[Path, str]) -> Iterator[str]:
    """Yield the built-in plugins without a section, the parameters that their sections do not name, and missing pictures."""
    for offer in Registry().offers():
        if offer.distribution != "gradient-runner":
            continue
        page = pages[site / "reference" / "plugins" / f"{PAGES[offer.kind]}.html"]
        found = re.search(rf'<section id="{offer.name.replace("_", "-")}">.*?(?=</section>)', page, re.DOTALL)
        if found is None:
            yield f"{offer.kind} {offer.name}"
            continue
        yield from (f"{offer.name}: {name}" for name in offer.parameters if f">{name}<" not in found[0])
        pictures = re.findall(r"<img\b[^>]*>", found[0])
        if len(pictures) != 1 or not re.search(r'alt="[^"]{20,}"', pictures[0]):
            yield f"{offer.name}: picture with an alternative text"
