"""Rules of the house that no single test of a part would see broken."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from khmer_aligned.cli import main as aligned
from khmer_whisper.cli import main as whisper

ROOT = Path(__file__).parents[1]
ROOTS = {"khmer_aligned": ROOT / "builders", "khmer_whisper": ROOT / "training"}
PROGRAMS = {"khmer-aligned": aligned, "khmer-whisper": whisper}

# The rooms of each half, from the ground up: a module imports from its own room and from those
# below. Rooms that stand side by side know nothing of each other.
ROOMS: dict[str, list[set[str]]] = {
    "khmer_aligned": [
        {"errors"},
        {"stores"},
        {"lease"},
        {"findings", "files", "options", "device"},
        {"console", "schema"},
        {"text", "audio", "hub", "speech", "subtitles"},
        {"aligners", "recordings"},
        {"alignment"},
        {"clips"},
        {"dataset"},
        {"report"},
        {"review"},
        {"cli", ""},  # "" is the package itself: what `import khmer_aligned` offers
    ],
    "khmer_whisper": [
        {"config", "launch", "metrics", "quiet"},
        {"card", "labels"},
        {"loss", "model"},
        {"examples"},
        {"callbacks", "decode", "vocabulary"},
        {"attention", "evaluation"},
        {"transcription"},
        {"exports", "inputs", "long_form", "trainer"},
        {"checkpoints", "model_folder"},
        {"warm_rows"},
        {"training", "ctc"},
        {"api", "demo", "reproduce", "serving"},
        {"cli", ""},
        {"worker"},  # what the launcher starts, by its name
    ],
}
# What training may use of the builders.
SHARED_ROOMS = {
    "text",
    "aligners",
    "alignment",
    "recordings",
    "schema",
    "errors",
    "findings",
    "options",
    "audio",
    "hub",
    "console",
    "device",
    "files",
    "speech",
    "subtitles",
}
HEAVY = ("datasets", "torch", "transformers", "numpy", "pyarrow", "huggingface_hub")


class Arrow(NamedTuple):
    """One module imports another, at the top of its file or inside a function."""

    module: str
    imported: str


def module_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_of(path, root): path
    for package, root in ROOTS.items()
    for path in sorted((root / package).rglob("*.py"))
}


def arrows_of(module: str, source: str, modules: set[str]) -> Iterator[Arrow]:
    """Every import of one of `modules`; of `from a import b` it is a.b where that is one."""
    tree = ast.parse(source)
    skipped = type_checking_only(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write the whole name instead of a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            target = name if name in modules else name.rpartition(".")[0]
            if target in modules:
                yield Arrow(module, target)


def type_checking_only(tree: ast.Module) -> set[int]:
    """What stands under `if TYPE_CHECKING:` and never runs."""
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {id(node) for block in blocks for line in block.body for node in ast.walk(line)}


ARROWS = [
    arrow
    for module, path in MODULES.items()
    for arrow in arrows_of(module, path.read_text(encoding="utf-8"), set(MODULES))
]


def room_of(module: str) -> str:
    """The first name below the package: `alignment` of khmer_aligned.alignment.align."""
    return [*module.split("."), ""][1]


def upward(arrows: list[Arrow], rooms: list[set[str]]) -> list[Arrow]:
    """The arrows that lead to a room above, or to one beside."""
    floor_of = {room: floor for floor, names in enumerate(rooms) for room in names}
    return [
        arrow
        for arrow in arrows
        if room_of(arrow.module) != room_of(arrow.imported)
        and floor_of[room_of(arrow.imported)] >= floor_of[room_of(arrow.module)]
    ]


def circle(arrows: list[Arrow]) -> list[str]:
    """Modules that import each other in a circle; [] where there is none."""
    imported_by: dict[str, set[str]] = {}
    for arrow in arrows:
        imported_by.setdefault(arrow.module, set()).add(arrow.imported)
    done: set[str] = set()

    def search(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in done:
            for imported in sorted(imported_by.get(module, ())):
                if found := search(imported, [*path, module]):
                    return found
            done.add(module)
        return []

    return next(filter(None, (search(module, []) for module in sorted(imported_by))), [])


def test_arrows_are_found_in_every_kind_of_import():
    source = """
import a.x
from a import y, nothing
from a.z import thing
if TYPE_CHECKING:
    from a import typed
def later():
    from a.b import deep
"""
    modules = {"a", "a.x", "a.y", "a.z", "a.b", "a.typed"}
    assert [*arrows_of("m", source, modules)] == [
        Arrow("m", "a.x"),
        Arrow("m", "a.y"),
        Arrow("m", "a"),
        Arrow("m", "a.z"),
        Arrow("m", "a.b"),
    ]


def test_a_circle_and_an_arrow_upward_are_found():
    rooms = [{"low"}, {"high", "beside"}]
    down, up = Arrow("p.high.a", "p.low.b"), Arrow("p.low.b", "p.high.a")
    aside, within = Arrow("p.high.a", "p.beside"), Arrow("p.high.a", "p.high.c")
    assert upward([down, up, aside, within], rooms) == [up, aside]
    assert circle([down, within, aside]) == []
    assert circle([down, up]) == ["p.high.a", "p.low.b", "p.high.a"]


@pytest.mark.parametrize("package", ROOTS)
def test_imports_lead_downward(package):
    rooms = ROOMS[package]
    listed = set().union(*rooms)
    assert {room_of(m) for m in MODULES if m.split(".")[0] == package} <= listed
    inside = [a for a in ARROWS if a.module.split(".")[0] == a.imported.split(".")[0] == package]
    assert len(inside) > 50
    assert upward(inside, rooms) == []


def test_no_modules_import_each_other_in_a_circle():
    assert circle(ARROWS) == []


def test_nothing_flows_back():
    for arrow in ARROWS:
        package, imported = arrow.module.split(".")[0], arrow.imported.split(".")[0]
        if package == "khmer_aligned":
            assert imported == "khmer_aligned", arrow
        elif imported == "khmer_aligned":
            assert room_of(arrow.imported) in SHARED_ROOMS, arrow


def test_text_needs_no_torch():
    for path in (ROOT / "builders" / "khmer_aligned" / "text").rglob("*.py"):
        assert not re.search(
            r"import (torch|transformers)|from (torch|transformers)", path.read_text()
        )


@pytest.mark.parametrize("package", ROOTS)
def test_a_command_shows_its_help_without_the_libraries_of_its_work(package):
    code = f"import sys, {package}.cli; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def commands() -> list[tuple[str, str, click.Command]]:
    return [(p, n, c) for p, group in PROGRAMS.items() for n, c in group.commands.items()]


@pytest.mark.parametrize(("program", "name", "command"), commands())
def test_every_option_says_what_it_does(program, name, command):
    assert command.help
    options = [p for p in command.params if isinstance(p, click.Option)]
    silent = [option.opts[0] for option in options if not (option.help or "").strip()]
    assert silent == [], f"{program} {name}"


def test_every_version_is_fixed_and_no_address_is_written_down():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(project)
    fixed = settings["tool"]["uv"]["constraint-dependencies"]
    names = {re.split(r"[=<>!~;\[ ]", line)[0].lower().replace("_", "-") for line in fixed}
    for requirement in settings["project"]["dependencies"]:
        name = re.split(r"[=<>!~;\[ ]", requirement)[0].lower().replace("_", "-")
        assert name in names, f"{name} has no fixed version"
    assert all("==" in line for line in fixed)
    assert "://" not in "".join(fixed)


def test_both_packages_are_typed():
    for package, root in ROOTS.items():
        assert (root / package / "py.typed").is_file()


def test_files_fit_in_one_sitting():
    for path in MODULES.values():
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines: split it"
