"""Every benchmark and every example finds all that it imports."""

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

from benchmarks import __main__ as command

ROOT = Path(__file__).parents[2]
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# Packages that peers and examples compare with or run on, and that tests can do without.
OPTIONAL = {"babelvec", "cca_zoo", "faiss", "gensim", "latentis", "lingua", "ot", "py3langid"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> list[tuple[str, str | None]]:
    """Modules that a file imports anywhere, with the name it takes from each or None."""
    parent = ".".join(path.relative_to(ROOT).parent.parts)
    found: list[tuple[str, str | None]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), parent)
            found += [(module, alias.name) for alias in node.names]
    return found


def resolve(module: str, name: str | None) -> None:
    """Import a module, and the name in it, which may be a module too."""
    if module.split(".")[0] in OPTIONAL:
        return
    found = importlib.import_module(module)
    if name is not None and not hasattr(found, name):
        importlib.import_module(f"{module}.{name}")


@pytest.mark.parametrize("name", command.BENCHMARKS.values())
def test_every_benchmark_can_be_started(name):
    module = importlib.import_module(f"benchmarks.{name}")
    assert callable(module.main)


@pytest.mark.parametrize("path", BENCHMARKS, ids=name_of)
def test_every_module_of_the_benchmarks_can_be_imported(path):
    importlib.import_module(name_of(path))


# Importing an example would run it. sentence-transformers moved its losses in version 6, and
# still gives them under the old address, which is the only one of older versions.
@pytest.mark.filterwarnings("ignore:Importing from 'sentence_transformers:DeprecationWarning")
@pytest.mark.parametrize("path", [*BENCHMARKS, *EXAMPLES], ids=name_of)
def test_imports_resolve_wherever_they_stand(path):
    for module, name in imported(path):
        resolve(module, name)


def test_benchmarks_share_modules_of_lib_alone():
    folders = {"adapters", "scores", "costs", "grid", "peers"}
    across = [
        f"{name_of(path)} imports {module}"
        for path in BENCHMARKS
        for module, _ in imported(path)
        if module.startswith("benchmarks.")
        and module.split(".")[1] in folders - {path.parent.name}
        and path.name != "smoke.py"
    ]
    assert across == []


def test_modules_of_the_benchmarks_import_each_other_in_one_direction():
    names = {name_of(path): path for path in BENCHMARKS}
    imports = {
        name: {
            target
            for module, part in imported(path)
            for target in (module, f"{module}.{part}")
            if target in names and target != name and names[target].name != "__init__.py"
        }
        for name, path in names.items()
    }
    while imports:
        free = {name for name, targets in imports.items() if not targets & set(imports)}
        assert free, f"a circle within {sorted(imports)}"
        imports = {name: targets for name, targets in imports.items() if name not in free}
