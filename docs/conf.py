"""The configuration of the documentation site. `CONTRIBUTING.md` says how to build it."""

import sys
from pathlib import Path

import runner

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "runner"
author = project_copyright = "The runner developers"
version = release = runner.__version__
language = "en-GB"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "command_line", "plugins", "public_names"]
exclude_patterns = ["_build", "_extensions"]

# Pages link to each other by file name and heading, as on a code-hosting site.
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# Docstrings follow the Google style; a single backtick marks code.
default_role = "code"
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: f"runner.{name}" for name in ("Array", "Mask", "Memory", "Quantity")}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 120
toc_object_entries_show_parents = "hide"
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = f"runner {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
