"""Write the versions of a fresh resolve into pyproject.toml, without download addresses.

A lock file holds the addresses that packages came from, which differ from one network to the
next; `constraint-dependencies` fixes the same versions anywhere. To move to newer ones:

    python .ci/fix_versions.py --clear && rm -f uv.lock && uv lock && python .ci/fix_versions.py
"""

import re
import sys
import tomllib
from itertools import groupby
from operator import itemgetter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "pyproject.toml"
BLOCK = re.compile(r"\n\[tool\.uv\]\nconstraint-dependencies = \[\n.*?\n\]\n", re.DOTALL)


def main() -> None:
    project = BLOCK.sub("", PROJECT.read_text(encoding="utf-8"))
    if "--clear" not in sys.argv:
        lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
        lines = [line for name, ps in _by_name(lock["package"]) for line in _lines(name, ps)]
        project += "\n[tool.uv]\nconstraint-dependencies = [\n" + "\n".join(lines) + "\n]\n"
    PROJECT.write_text(project, encoding="utf-8")


def _by_name(packages: list[dict]) -> list[tuple[str, list[dict]]]:
    fetched = [package for package in packages if "editable" not in package["source"]]
    return [(n, list(ps)) for n, ps in groupby(fetched, key=itemgetter("name"))]


def _lines(name: str, packages: list[dict]) -> list[str]:
    """One version, or an older one for the older Pythons and one for the others."""
    versions = [package["version"] for package in packages]
    if len(packages) == 1:
        return [f'    "{name}=={versions[0]}",']
    older = " ".join(packages[0]["resolution-markers"])
    (first,) = set(re.findall(r"python_full_version < '([\d.]+)'", older))
    old, new = versions
    return [
        f"    \"{name}=={old} ; python_version < '{first}'\",",
        f"    \"{name}=={new} ; python_version >= '{first}'\",",
    ]


main()
