"""Laws of the workspace: lock-step versions, pinned siblings, one licence, a README that starts with code."""

import re
import tomllib

import grimp
import pytest
from wheel_graph import ROOT, WheelGraph, members, project

MEMBERS = members()
WHEELS = {name: folder for name, folder in MEMBERS.items() if folder.parent.name == "packages"}
ROOT_TABLE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACT = ROOT_TABLE["tool"]["importlinter"]["contracts"][0]

SOURCES = [
    "/" + path.relative_to(ROOT).as_posix()
    for top in ("packages", "milestones", "benchmarks", "tests")
    for path in ROOT.joinpath(top).rglob("*.py")
]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md", "packages/*/*.md", "milestones/*/*.md")
    for path in ROOT.glob(pattern)
)

each_member = pytest.mark.parametrize("name", sorted(MEMBERS))


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def test_minor_versions_are_lock_step():
    assert len({minor(project(folder)["version"]) for folder in MEMBERS.values()}) == 1


@each_member
def test_siblings_are_pinned_to_this_minor(name):
    major, low = minor(project(MEMBERS[name])["version"]).split(".")
    expected = f">={major}.{low},<{major}.{int(low) + 1}"
    table = project(MEMBERS[name])
    extras = table.get("optional-dependencies", {}).values()
    for line in [*table["dependencies"], *(line for extra in extras for line in extra)]:
        sibling, bound = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?(.*)", line).groups()
        if sibling in MEMBERS:
            assert bound == expected, f"{name}: {line}"


@each_member
def test_licence_and_typing_marker_are_in_the_member(name):
    folder = MEMBERS[name]
    licence = folder / "LICENSE"
    assert not licence.is_symlink()
    assert licence.read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (folder / "src" / name.replace("-", "_") / "py.typed").is_file()


@pytest.mark.parametrize("name", sorted(WHEELS))
def test_readme_has_an_example_with_its_result(name):
    text = (WHEELS[name] / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^```python\n(?:(?!^```).*\n)*?>>> ", text, flags=re.MULTILINE)


@each_member
def test_only_wheels_may_be_published(name):
    private = "Private :: Do Not Upload" in project(MEMBERS[name])["classifiers"]
    assert private == (name not in WHEELS)


@each_member
def test_tox_has_an_environment_for_it(name):
    tox = tomllib.loads((ROOT / "tox.toml").read_text(encoding="utf-8"))
    assert name in tox["env_list"]
    assert tox["env"][name]["commands"][0][-1] == MEMBERS[name].relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_a_document_names_are_there(document):
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for name in re.findall(r"`([\w/-]+\.py)`", text):
        assert any(path.endswith("/" + name) for path in SOURCES), f"there is no {name}"
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (document.parent / link).exists(), f"there is no {link}"


def contract(lines):
    session = {"root_packages": [name.replace("-", "_") for name in MEMBERS]}
    return WheelGraph("graph", session_options=session, contract_options={"graph": lines})


def tiny_graph(*imports):
    graph = grimp.ImportGraph()
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported, line_number=7, line_contents="")
    return graph


def test_contract_finds_an_undeclared_import_of_a_sibling():
    allowed = tiny_graph(("tt_nn.linear", "tt_tensor.tensor"), ("tt_nn.linear", "tt_nn.module"))
    assert contract(CONTRACT["graph"]).check(allowed, verbose=False).kept
    forbidden = tiny_graph(("tt_tensor.tensor", "tt_nn.module"))
    check = contract(CONTRACT["graph"]).check(forbidden, verbose=False)
    assert check.metadata["wrong"] == [
        "tt_tensor.tensor (line 7) imports tt_nn.module, but tt-tensor does not declare tt-nn"
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("tt-nn: tt-tensor", "tt-nn:"), "tt-nn declares tt-tensor, which the graph does not give it"),
        (
            ("tt-tensor: numpy", "tt-tensor: numpy scipy"),
            "tt-tensor does not declare scipy, which the graph gives it",
        ),
        (("milestone-kit: ", "milestone-cat: "), "milestone-kit is a member, but not in the graph"),
    ],
)
def test_contract_is_broken_when_a_pyproject_says_something_else(change, complaint):
    lines = [line.replace(*change) for line in CONTRACT["graph"]]
    check = contract(lines).check(tiny_graph(), verbose=False)
    assert not check.kept
    assert complaint in check.metadata["wrong"]
