"""How Sphinx makes the pages: `tox run -e docs`.

The source folder is the root of the repository and not docs/, so that each link leads to the same
page here and where the files are read as they are.  Nothing is read from the network.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

with (Path(__file__).parents[1] / "pyproject.toml").open("rb") as file:
    version = release = tomllib.load(file)["project"]["version"]

project = "qehost"
author = "The qehost authors"
project_copyright = author
html_title = f"qehost {version}"

extensions = ["myst_parser", "chinese_search"]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "plugins/*/*.md",
    "benchmarks/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "README.zh-CN.md",
    "SECURITY.md",
]
myst_heading_anchors = 4
exclude_patterns = [".*", "build", "dist"]
smartquotes_action = "qe"  # the dashes of options stay as they are
html_theme = "furo"
# So that the folder itself can be opened.
html_extra_path = ["site_root"]
html_copy_source = False
html_show_sphinx = False
html_search_language = "en"  # as chinese_search has it
html_theme_options = {"top_of_page_buttons": []}
