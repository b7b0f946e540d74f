"""Write docs/commands.md: the help of every command, as the programs print it.

uv run python .ci/write_commands.py
"""

from pathlib import Path

import click

from khmer_aligned.cli import main as aligned
from khmer_whisper.cli import main as whisper

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
WIDTH = 100
HEAD = """\
# Commands

The help of every command, as `--help` prints it.
Written by `.ci/write_commands.py`; a test compares.
"""


def render_page() -> str:
    parts = [HEAD]
    for program, group in (("khmer-aligned", aligned), ("khmer-whisper", whisper)):
        for name, command in group.commands.items():
            parent = click.Context(group, info_name=program)
            settings = {"max_content_width": WIDTH} | command.context_settings
            context = click.Context(command, parent, name, **settings)
            text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
            parts.append(f"## {program} {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
