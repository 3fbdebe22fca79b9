"""An import-linter contract: what each member declares is what it may import.

The contract's ``graph`` lists every member of the workspace with all that it depends on. The contract is
broken when a pyproject declares something else, when a member is missing from the graph, or when a module
imports a sibling that its own wheel does not declare. (Undeclared imports of other distributions are found by
deptry, and by tox, which installs each wheel alone.)
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

ROOT = Path(__file__).resolve().parent.parent


def members() -> dict[str, Path]:
    """Distribution name → its folder, for every member of the workspace."""
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"][
        "workspace"
    ]
    found = sorted(
        path for pattern in workspace["members"] for path in ROOT.glob(f"{pattern}/pyproject.toml")
    )
    return {project(path.parent)["name"]: path.parent for path in found}


def project(folder: Path) -> dict:
    """The [project] table of one member."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def declared(folder: Path) -> set[str]:
    """Names of the distributions that a member declares, those of its extras included."""
    table = project(folder)
    lines = [
        *table["dependencies"],
        *(d for extra in table.get("optional-dependencies", {}).values() for d in extra),
    ]
    names = {re.match(r"[A-Za-z0-9._-]+", line).group().lower().replace("_", "-") for line in lines}
    return names - {table["name"]}


class WheelGraph(Contract):
    """``graph``: one line for each member, ``"name: what it declares, separated by spaces"``."""

    type_name = "wheels"

    graph = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        allowed = {
            name.strip(): set(rest.split()) for name, _, rest in (line.partition(":") for line in self.graph)
        }
        folders = members()
        wrong = [
            f"{name} is in the graph, but no member has that name" for name in allowed.keys() - folders.keys()
        ]
        wrong += [f"{name} is a member, but not in the graph" for name in folders.keys() - allowed.keys()]
        roots = {name: name.replace("-", "_") for name in folders}
        for root in set(roots.values()) - set(self.session_options["root_packages"]):
            wrong.append(f"{root} is missing from root_packages, so its imports are not looked at")
        for name in folders.keys() & allowed.keys():
            for extra in declared(folders[name]) - allowed[name]:
                wrong.append(f"{name} declares {extra}, which the graph does not give it")
            for missing in allowed[name] - declared(folders[name]):
                wrong.append(f"{name} does not declare {missing}, which the graph gives it")
            wrong += self._undeclared(graph, name, allowed[name], roots)
        return ContractCheck(kept=not wrong, metadata={"wrong": sorted(wrong)})

    @staticmethod
    def _undeclared(graph: ImportGraph, name: str, allowed: set[str], roots: dict[str, str]) -> list[str]:
        """Direct imports of siblings that ``name`` does not declare, with file and line."""
        by_root = {root: dist for dist, root in roots.items()}
        found = []
        for importer in graph.modules:
            if importer.split(".")[0] != roots[name]:
                continue
            for imported in graph.find_modules_directly_imported_by(importer):
                sibling = by_root.get(imported.split(".")[0])
                if sibling in allowed | {name, None}:
                    continue
                for detail in graph.get_import_details(importer=importer, imported=imported):
                    where = f"{importer} (line {detail['line_number']})"
                    found.append(f"{where} imports {imported}, but {name} does not declare {sibling}")
        return found

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["wrong"]:
            output.print_error(f"- {line}")
        output.new_line()
