"""The settings of the site, which tools/checks/site builds from docs/ and the plugins' documentation."""

from __future__ import annotations

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "onetouch.deploy"
project_copyright = "The onetouch.deploy contributors"
html_title = project
html_theme = "furo"
html_use_index = False
html_show_sourcelink = False

extensions = ["myst_parser", "sphinx_antsibull_ext"]
root_doc = "README"
# Headings are linked as on GitHub.
myst_heading_anchors = 4
# Commands stay as they are: no typographic quotes or dashes.
smartquotes = False

ANSIBLE = "https://docs.ansible.com/projects/ansible-core/devel/"
BUILTIN = "https://docs.ansible.com/projects/ansible/latest/collections/ansible/builtin/"
PLACES = {
    "action_plugins": f"{ANSIBLE}plugins/action.html",
    "callback_plugins": f"{ANSIBLE}plugins/callback.html",
    "lookup_plugins": f"{ANSIBLE}plugins/lookup.html",
    "common_return_values": f"{ANSIBLE}reference_appendices/common_return_values.html",
    "ansible_configuration_settings": f"{ANSIBLE}reference_appendices/config.html",
    "no_color": "https://no-color.org/",
}
"""What the pages of plugins link to in the documentation of others. The site is built without asking those."""


def setup(app: Sphinx) -> None:
    """Show diagrams as the text that they are: drawing them would take a script from another host."""
    for language in ("mermaid", "conf"):
        app.add_lexer(language, TextLexer)
    app.connect("missing-reference", elsewhere)


def elsewhere(
    _app: Sphinx, _environment: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Return the link for a reference to the documentation of others; none for any other, which is an error."""
    target = str(node["reftarget"]).lower()
    _before, is_builtin, plugin = target.partition("ansible_collections.ansible.builtin.")
    address = f"{BUILTIN}{plugin}.html" if is_builtin else PLACES.get(target)
    return nodes.reference("", "", content, internal=False, refuri=address) if address else None
