"""Rules of the house that no single test of a part would see broken."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from khmer_aligned.cli import main as aligned
from khmer_whisper.cli import main as whisper

ROOT = Path(__file__).parents[1]
# What training may use of the builders.
SHARED_ROOMS = {
    "text",
    "schema",
    "errors",
    "audio",
    "hub",
    "console",
    "files",
    "options",
    "subtitles",
}  # what training may use of the builders
README = (ROOT / "README.md").read_text(encoding="utf-8")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_nothing_flows_back():
    sources = [*(ROOT / "builders").rglob("*.py"), *(ROOT / "training").rglob("*.py")]
    assert len(sources) > 30
    for path in sources:
        for name in imported(path):
            package, _, rest = name.partition(".")
            if path.is_relative_to(ROOT / "builders"):
                assert package != "khmer_whisper", path
            elif package == "khmer_aligned":
                assert rest.split(".")[0] in SHARED_ROOMS, f"{path} imports {name}"


def test_text_needs_no_torch():
    for path in (ROOT / "builders" / "khmer_aligned" / "text").rglob("*.py"):
        assert not {n.partition(".")[0] for n in imported(path)} & {"torch", "transformers"}


@pytest.mark.parametrize(
    ("program", "command"),
    [("khmer-aligned", name) for name in aligned.commands]
    + [("khmer-whisper", name) for name in whisper.commands],
)
def test_every_command_is_in_the_readme(program, command):
    assert f"{program} {command}" in README


def test_every_option_says_what_it_does():
    for group in (aligned, whisper):
        for command in group.commands.values():
            assert command.help, command.name
            for parameter in command.params:
                if parameter.param_type_name == "option" and not parameter.default:
                    assert getattr(parameter, "help", None), f"{command.name} {parameter.name}"


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


def test_files_fit_in_one_sitting():
    for path in [*(ROOT / "builders").rglob("*.py"), *(ROOT / "training").rglob("*.py")]:
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines: split it"
