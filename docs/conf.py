"""Sphinx configuration. Neither the build nor the built pages use the network."""

from __future__ import annotations

import doctest
import os
import re
from importlib import import_module

# Before NumPy is loaded: the matrices of the examples are small, and several threads only slow each
# other down on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import langalign_sk

project = "langalign_sk"
author = "the langalign_sk developers"
copyright = "the langalign_sk developers"
version = release = langalign_sk.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
]
exclude_patterns = ["_build", "_generated", "_templates"]
templates_path = ["_templates"]
default_role = "literal"
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(sklearn|numpy|pandas)\..*")]

html_theme = "furo"
html_title = f"langalign_sk {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Docstrings are run by pytest; the pages mark their examples with the doctest directive.
doctest_test_doctest_blocks = ""
doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
doctest_global_setup = """
import os
os.environ["HF_HUB_OFFLINE"] = "1"
"""

# A name has one page, under its submodule. References take the short address as well, which
# `currentmodule` and autosummary cannot do: they would make a second page, and link one of the two.
_SUBMODULES = ("corpus", "encoders", "inspection", "mapping")
_HOMES = {
    name: f"langalign_sk.{submodule}.{name}"
    for submodule in _SUBMODULES
    for name in import_module(f"langalign_sk.{submodule}").__all__
    if name in langalign_sk.__all__
}


def visit_math(self, node):
    """Inline formula as MathML, which browsers draw without a script."""
    self.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def visit_math_block(self, node):
    """Formula on a line of its own."""
    self.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>\n')
    raise nodes.SkipNode


def tidy_docstring(app, what, name, obj, options, lines):
    """Escape names such as n_features_in_ in types; remove links into scikit-learn's own pages."""
    lines[:] = [_TRAILING_UNDERSCORE.sub(r"\1\\_", line) for line in lines]
    if name.rsplit(".", 1)[-1] in _INHERITED or name in _INHERITED_WHOLE:
        lines[:] = [_REFERENCE.sub(r"\1", line) for line in lines]


# Inherited docstrings of scikit-learn refer to labels of its own pages, which only an inventory from
# the network could resolve; and reStructuredText takes a word that ends in an underscore for a link.
_TRAILING_UNDERSCORE = re.compile(r"(?<=[( ])(\w+)_(?=[,)])")
_INHERITED = (
    "get_feature_names_out",
    "get_metadata_routing",
    "get_params",
    "set_fit_request",
    "set_score_request",
    "set_split_request",
    "set_output",
    "set_params",
)
# From scikit-learn's ClassifierMixin; `score` of the aligners is defined here.
_INHERITED_WHOLE = tuple(
    f"langalign_sk.classifier.{name}.score"
    for name in ("AlignedClassifier", "CrossLingualClassifier", "KernelRidgeClassifier")
)
_REFERENCE = re.compile(r":(?:ref|term):`([^`<]*?)\s*(?:<[^`>]*>)?`")


def resolve_short_name(app, env, node, contnode):
    """Link langalign_sk.ParallelCorpus to the page of langalign_sk.corpus.ParallelCorpus."""
    package, _, rest = node.get("reftarget", "").partition(".")
    name, dot, member = rest.partition(".")
    if node.get("refdomain") != "py" or package != "langalign_sk" or name not in _HOMES:
        return None
    return env.domains["py"].resolve_xref(
        env,
        node["refdoc"],
        app.builder,
        node["reftype"],
        _HOMES[name] + dot + member,
        node,
        contnode,
    )


def keep_signatures(app):
    """Leave the signatures alone that the examples of the pages read at run time."""
    if app.builder.name == "doctest":
        app.config.autodoc_preserve_defaults = False


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("autodoc-process-docstring", tidy_docstring)
    app.connect("builder-inited", keep_signatures)
    app.connect("missing-reference", resolve_short_name)
