"""The directives `plugin-table` and `plugins` for the built-in plugins of a kind, and `capabilities` for its capabilities."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from command_line import code, escaped, fenced, table
from docutils import nodes
from pictures import Picture, draw
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from runner.cli.plugins.show import parameter_row, usage
from runner.contracts.kinds import PLUGIN_KINDS
from runner.registry.catalogue import Offer
from runner.registry.registry import Registry


class PluginTable(SphinxDirective):
    """Write a table of the built-in plugins of the kind in the argument, with links to their sections."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table, parsed from Markdown."""
        rows = [(f"[`{each.name}`](#{each.name})", escaped(each.summary)) for each in built_in(self.arguments[0])]
        return self.parse_text_to_nodes("\n".join(table(("name", "formula or purpose"), rows)))


class Plugins(SphinxDirective):
    """Write a section for each built-in plugin of the kind in the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the sections, parsed from Markdown."""
        folder = Path(self.env.doctreedir, "pictures")
        page = Path(self.env.doc2path(self.env.docname)).parent
        lines = []
        for offer in built_in(self.arguments[0]):
            self.env.note_dependency(inspect.getsourcefile(offer.cls) or "")
            path = folder / f"{offer.kind}_{offer.name}.png"
            picture = draw(offer.kind, offer.name, path)
            lines += [*described(offer), *figure(picture, os.path.relpath(path, page))]
        text = "\n".join(lines)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def built_in(kind: str) -> list[Offer]:
    """Return the plugins of a kind that come with `runner`."""
    return [each for each in Registry().offers() if each.kind == kind and each.distribution == "gradient-runner"]


def described(offer: Offer) -> Iterator[str]:
    """Yield the Markdown lines of one plugin's section."""
    yield from (f"## `{offer.name}`", "")
    yield from ((inspect.getdoc(offer.cls) or "").replace("*", r"\*").replace("<", r"\<"), "")
    rows = []
    for parameter in offer.parameters.values():
        name, kind, default, allowed, meaning = parameter_row(parameter)
        rows.append((code(name), code(kind), code(default), escaped(allowed), escaped(meaning)))
    yield from table(("parameter", "type", "default", "allowed", "meaning"), rows)
    yield from fenced("toml", "\n".join(usage(offer, None)))


def figure(picture: Picture, path: str) -> Iterator[str]:
    """Yield the Markdown lines of a picture with its caption."""
    yield from (f"```{{figure}} {path}", f":alt: {picture.alt}", "", picture.caption.replace("*", r"\*"), "```", "")


class Capabilities(SphinxDirective):
    """Write the table of the capabilities of the kind in the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table, parsed from Markdown."""
        rows = []
        for each in PLUGIN_KINDS[self.arguments[0]].capabilities:
            members = ", ".join(code(member) for member in each.members)
            rows.append(
                (code(each.protocol.__name__), members, escaped((inspect.getdoc(each.protocol) or "").partition("\n")[0]))
            )
        return self.parse_text_to_nodes("\n".join(table(("protocol", "members", "meaning"), rows)))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("plugin-table", PluginTable)
    app.add_directive("plugins", Plugins)
    app.add_directive("capabilities", Capabilities)
    return {"parallel_read_safe": True}
