"""The commands from a built folder to `load_dataset`, against a Hub on loopback."""

import json
import sys

import pytest

from .hub import folders

pytestmark = pytest.mark.slow

LOAD = """
import json
from datasets import load_dataset
loaded = load_dataset("org/khmer-aligned", revision="v1.0")
ids = {name: rows.select_columns("id")["id"][:] for name, rows in loaded.items()}
print(json.dumps(ids))
"""

UPLOAD = """
import sys
from huggingface_hub import HfApi
HfApi().create_repo(sys.argv[2], repo_type="dataset")
HfApi().upload_folder(folder_path=sys.argv[1], repo_id=sys.argv[2], repo_type="dataset")
"""
READ = """
import json, sys
from khmer_aligned.recordings import sources
from khmer_aligned.errors import UserError
try:
    corpus = sources.find(sys.argv[1])
    texts = [recording.text for recording in sources.read(corpus)]
    print(json.dumps({"content": corpus.content, "texts": texts}))
except UserError as error:
    sys.exit(print(error) or 1)
"""


def test_push_dataset_then_load_dataset_then_nothing_to_upload(hub, tmp_path):
    folder = folders.dataset(tmp_path / "built", shards=3)
    card = folder / "README.md"
    card.write_text(card.read_text() + 'load_dataset("elsewhere")\n')
    push = [sys.executable, "-m", "khmer_aligned.cli", "push-dataset", str(folder)]

    done = hub.run([*push, "org/khmer-aligned", "--tag", "v1.0"])
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "7 files uploaded" in done.stderr
    assert b'load_dataset("org/khmer-aligned")' in hub.read(
        "dataset", "org/khmer-aligned", "README.md"
    )

    loaded = hub.run(LOAD)
    assert loaded.returncode == 0, loaded.stderr
    ids = json.loads(loaded.stdout)
    assert {name: len(rows) for name, rows in ids.items()} == {"train": 6, "test": 2}

    hub.requests.clear()
    again = hub.run([*push, "org/khmer-aligned"])
    assert again.returncode == 0, again.stderr
    assert "0 files uploaded (0 bytes), 7 there already" in again.stderr
    assert hub.uploads == []


def test_what_goes_wrong_is_one_line(hub, tmp_path):
    folder = folders.dataset(tmp_path / "built")
    push = [sys.executable, "-m", "khmer_aligned.cli", "push-dataset", str(folder)]
    refused = hub.run([*push, "org/khmer-aligned"], token="hf_" + "Wrong" * 7)
    assert refused.returncode == 1
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("Error")]
    assert "does not accept the token" in line
    missing = hub.run(
        [sys.executable, "-m", "khmer_aligned.cli", "build", "org/none", str(tmp_path / "out")]
    )
    assert missing.returncode == 1
    assert "and no dataset on" in missing.stderr
    assert "Traceback" not in refused.stderr + missing.stderr


def test_of_a_dataset_with_subsets_one_is_named(hub, tmp_path):
    """As google/fleurs is made: a Hub dataset that has to be asked for by subset."""
    folder = tmp_path / "many"
    for subset, seed in (("km_kh", 0), ("th_th", 1)):
        folders.dataset(folder / subset, shards=1, seed=seed)
    configs = "".join(
        f"- config_name: {subset}\n  data_files: {subset}/data/train-*.parquet\n"
        for subset in ("km_kh", "th_th")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n", encoding="utf-8")
    uploaded = hub.run([sys.executable, "-c", UPLOAD, str(folder), "org/many"])
    assert uploaded.returncode == 0, uploaded.stderr
    read = [sys.executable, "-c", READ]

    named = hub.run([*read, "org/many:km_kh"])
    assert named.returncode == 0, named.stderr
    assert json.loads(named.stdout)["texts"] == folders.TEXTS[:2]
    other = hub.run([*read, "org/many:th_th"])
    assert json.loads(named.stdout)["content"] != json.loads(other.stdout)["content"]

    for name in ("org/many", "org/many:fr_fr"):
        refused = hub.run([*read, name])
        assert refused.returncode == 1
        assert f"{name}: cannot be loaded as a dataset" in refused.stdout
        assert "km_kh" in refused.stdout
