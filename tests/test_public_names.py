"""The public names: as they are listed, documented, with an example; and addresses in saved files.

``public_names.txt`` lists every public name with its signature. A change of the interface shows as
a change of that file, which this command writes anew::

    python tests/test_public_names.py
"""

from __future__ import annotations

import difflib
import inspect
import json
import pkgutil
import re
import sys
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import joblib
import joblib.numpy_pickle
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("public_names.txt")
REGENERATE = "python tests/test_public_names.py"
PACKAGE = "langalign_sk"
# Bases that users ask for with `isinstance`; others may come and go with scikit-learn's releases.
BASES = (
    "BaseEstimator",
    "ClassNamePrefixFeaturesOutMixin",
    "ClassifierMixin",
    "MetaEstimatorMixin",
    "TransformerMixin",
    "UserWarning",
)
# Methods that scikit-learn has or has not, by its release.
BY_RELEASE = ("set_callbacks",)


def public_modules() -> list[str]:
    """The package and its public modules, found on the disk; deeper modules are not addresses."""
    found = pkgutil.iter_modules(import_module(PACKAGE).__path__)
    return [PACKAGE, *sorted(f"{PACKAGE}.{m.name}" for m in found if not m.name.startswith("_"))]


def public_names() -> Iterator[tuple[str, str, object]]:
    """Module, name and object of everything in the `__all__` of a public module."""
    for module_name in public_modules():
        module = import_module(module_name)
        for name in sorted(module.__all__):
            yield module_name, name, getattr(module, name)


def is_ours(thing: object) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] == PACKAGE


def signature_of(function: object) -> str:
    """Names, kinds and defaults of the parameters; annotations may become more exact."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    assert " at 0x" not in text, f"a default without a stable repr: {text}"
    return text


def members_of(cls: type) -> Iterator[str]:
    """A line per public member, whichever class of this package it is written in."""
    foreign = []
    for name in sorted(n for n in dir(cls) if not n.startswith("_")):
        home = next(base for base in cls.__mro__ if name in vars(base))
        member = inspect.getattr_static(cls, name)
        if not is_ours(home):
            foreign.append(name)
        elif isinstance(member, property | cached_property):
            yield f"property {name}"
        elif isinstance(member, classmethod | staticmethod):
            yield f"{type(member).__name__} {name}{signature_of(getattr(cls, name))}"
        elif callable(getattr(cls, name)):
            yield f"method {name}{signature_of(getattr(cls, name))}"
        else:
            yield f"attribute {name}"
    if not issubclass(cls, Exception):
        yield from (f"inherits {name}" for name in foreign if name not in BY_RELEASE)
    for parameter in NumpyDocString(inspect.cleandoc(cls.__doc__ or ""))["Attributes"]:
        yield from (f"documents {name.strip(' `*')}" for name in parameter.name.split(","))


def lines_of(module: str, name: str, thing: object) -> Iterator[str]:
    """What the list says of one name."""
    address = f"{module}.{name}"
    if isinstance(thing, type):
        bases = ", ".join(sorted({base.__name__ for base in thing.__mro__} & set(BASES)))
        call = "(*args)" if issubclass(thing, Exception) else signature_of(thing)
        yield f"{address}: class({bases}), called with {call}"
        yield from (f"{address}: {line}" for line in members_of(thing))
    elif callable(thing):
        yield f"{address}: function{signature_of(thing)}"
    else:
        yield f"{address}: {type(thing).__name__}"


def listing() -> list[str]:
    """The whole list. A name that several modules hand on is described once, in its own module."""
    lines, described = [], {}
    for module, name, thing in sorted(
        public_names(), key=lambda row: (-row[0].count("."), row[:2])
    ):
        if callable(thing) and id(thing) in described:
            lines.append(f"{module}.{name}: the same as {described[id(thing)]}")
        else:
            described[id(thing)] = f"{module}.{name}"
            lines.extend(lines_of(module, name, thing))
    return sorted(lines)


def test_public_names_are_those_of_the_list():
    listed, found = LIST.read_text(encoding="utf-8").splitlines(), listing()
    changes = list(difflib.unified_diff(listed, found, "listed", "found", n=0, lineterm=""))
    assert not changes, "\n".join(
        [
            *changes,
            f"The public interface is not what {LIST.name} says. What is missed breaks users; if "
            f"what is new is meant, list it with `{REGENERATE}` and add a changelog fragment.",
        ]
    )


# Documentation

OWN_PAGE = sorted({(m, n) for m, n, _ in public_names() if m != PACKAGE})


@pytest.mark.parametrize(("module", "name"), OWN_PAGE)
def test_docstring_has_an_example(module, name):
    doc = NumpyDocString(inspect.cleandoc(getattr(import_module(module), name).__doc__))
    assert doc["Summary"]
    assert any(line.lstrip().startswith(">>> ") for line in doc["Examples"])


# What numpydoc may say of a public docstring without being right here, beyond what pyproject.toml
# leaves out: a parameter that is "as in `fit`" has neither a type nor a description of its own.
ALLOWED = {"ES01", "EX01", "SA01", "SS02", "SS05", "PR04", "PR07"}


def documented() -> list[str]:
    """Addresses of the public functions and classes, and of their own methods and properties."""
    found = []
    for module, name in OWN_PAGE:
        thing = getattr(import_module(module), name)
        found += [f"{module}.{name}"] if callable(thing) else []
        if isinstance(thing, type):
            kinds = ("method", "classmethod", "staticmethod", "property")
            lines = [line.partition("(")[0].split() for line in members_of(thing)]
            own = [
                line[1] for line in lines if line[0] in kinds and not line[1].endswith("_request")
            ]
            found += [f"{module}.{name}.{member}" for member in own]
    return found


@pytest.mark.parametrize("address", documented())
def test_docstring_is_complete(address):
    found = dict(validate(address)["errors"])
    module, _, name = address.rpartition(".")
    owner = getattr(import_module(module), name, None) if module.count(".") == 1 else None
    if isinstance(owner, type) and (is_dataclass(owner) or issubclass(owner, tuple)):
        found.pop("PR01", None)  # its parameters are the attributes
    if "GL08" in found and owner is None:
        cls = resolved(module)
        assert inspect.getdoc(getattr(cls, name)), found  # the docstring of a base class
        del found["GL08"]
    assert not found.keys() - ALLOWED, found


@pytest.mark.parametrize(("module", "name"), OWN_PAGE)
def test_api_page_lists_the_name(module, name):
    assert name in (ROOT / "docs" / "api.rst").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("name", sorted(import_module(PACKAGE).__all__))
def test_api_page_mentions_the_names_of_the_package(name):
    assert re.search(rf"\b{name}\b", (ROOT / "docs" / "api.rst").read_text(encoding="utf-8"))


# Addresses in saved files

SAVED = sorted(Path(__file__).parent.rglob("saved_format_*"))
# Dotted addresses that files of format 1 hold, or that its list of trusted types allows in them.
ADDRESSES = (
    "langalign_sk._quality.TextModel",
    "langalign_sk._quality.TextQuality",
    "langalign_sk._quality.VectorQuality",
    "langalign_sk.aligner.CrossLingualAligner",
    "langalign_sk.classifier.AlignedClassifier",
    "langalign_sk.encoders.endpoint.EndpointEncoder",
    "langalign_sk.encoders.handles.SentenceEncoder",
    "langalign_sk.inspection.report.AlignmentReport",
    "langalign_sk.inspection.report.Evaluation",
    "langalign_sk.mapping.adapter.AdapterAligner",
    "langalign_sk.mapping.linear.LinearAligner",
    "langalign_sk.mapping.network.Network",
    "langalign_sk.metrics.pairs.RetrievalScores",
    "langalign_sk.trust.PairChecks",
    "langalign_sk.trust.VectorModel",
)


def resolved(address: str) -> object:
    """What `pickle` finds at a dotted address."""
    module, _, name = address.rpartition(".")
    return getattr(import_module(module), name)


def addresses_of_skops(path: Path) -> set[str]:
    """Addresses of this package in the schema of a .skops file."""

    def nodes(tree: object) -> Iterator[dict]:
        if isinstance(tree, dict):
            yield tree
        if isinstance(tree, dict | list):
            for branch in tree.values() if isinstance(tree, dict) else tree:
                yield from nodes(branch)

    with zipfile.ZipFile(path) as file:
        schema = json.loads(file.read("schema.json"))
    found = {f"{n['__module__']}.{n['__class__']}" for n in nodes(schema) if "__class__" in n}
    return {address for address in found if address.startswith(f"{PACKAGE}.")}


def addresses_of_pickle(path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Addresses of this package that loading a pickle of joblib asks for."""
    found, unpickler = set(), joblib.numpy_pickle.NumpyUnpickler
    find_class = unpickler.find_class

    def recorded(self, module, name):
        found.add(f"{module}.{name}")
        return find_class(self, module, name)

    monkeypatch.setattr(unpickler, "find_class", recorded)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's and this package's words about releases
        joblib.load(path)
    return {address for address in found if address.startswith(f"{PACKAGE}.")}


@pytest.mark.parametrize("address", ADDRESSES)
def test_old_addresses_are_classes(address):
    thing = resolved(address)
    assert isinstance(thing, type)
    assert thing.__name__ == address.rpartition(".")[2]


def files_of(pattern: str) -> list[Path]:
    return [path for folder in SAVED for path in sorted(folder.rglob(pattern))]


def test_the_saved_files_are_found():
    assert len(files_of("*.skops")) >= 2
    assert len(files_of("*.joblib")) >= 1


@pytest.mark.parametrize("path", files_of("*.skops"), ids=lambda path: path.parent.name)
def test_addresses_of_skops_files_are_listed(path):
    found = addresses_of_skops(path)
    assert found
    assert found <= set(ADDRESSES)


@pytest.mark.parametrize("path", files_of("*.joblib"), ids=lambda path: path.name)
def test_addresses_of_pickles_are_listed(path, monkeypatch):
    found = addresses_of_pickle(path, monkeypatch)
    assert found
    assert found <= set(ADDRESSES)


def main(arguments: Iterable[str]) -> None:
    if list(arguments):
        raise SystemExit(__doc__)
    LIST.write_text("\n".join(listing()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
