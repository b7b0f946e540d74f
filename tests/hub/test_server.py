"""The loopback Hub itself: what the clients' own calls find there, beyond what we publish."""

import json

import pytest

from .routes import PAGE

TOUR = """
import json
from pathlib import Path
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, HfFileSystem
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError

api, answers = HfApi(), {}
dataset = dict(repo_id="org/tour", repo_type="dataset")

def error(function, *args, **kwargs):  # what it raises, or None
    try:
        function(*args, **kwargs)
    except HfHubHTTPError as error:
        return [type(error).__name__, error.response.status_code]

answers["me"] = api.whoami()["name"]
answers["missing"] = error(api.repo_info, **dataset)
api.create_repo(**dataset)
answers["twice"] = error(api.create_repo, **dataset)
answers["url"] = str(api.create_repo(**dataset, exist_ok=True))

files = {f"data/{index:03d}.txt": f"row {index}".encode() for index in range(50)}
files["data/rows.parquet"] = bytes(range(256)) * 4096
first = api.create_commit(**dataset, commit_message="One", operations=[
    CommitOperationAdd(name, content) for name, content in files.items()])
api.create_commit(**dataset, commit_message="Two", operations=[
    CommitOperationDelete("data/000.txt"), CommitOperationAdd("notes/a b.txt", b"spaced")])
api.delete_folder("notes", **dataset, commit_message="Three")
answers["titles"] = [commit.title for commit in api.list_repo_commits(**dataset)]
answers["files"] = len(api.list_repo_files(**dataset))
answers["at first"] = len(api.list_repo_files(**dataset, revision=first.oid))
answers["no folder"] = error(lambda: list(api.list_repo_tree(**dataset, path_in_repo="no")))
answers["paths"] = {info.path: [info.size, bool(info.lfs)] for info in api.get_paths_info(
    **dataset, paths=["data/rows.parquet", "data/001.txt", "no"]) }
answers["exists"] = [api.file_exists(**dataset, filename=name) for name in ("data/001.txt", "no")]
answers["stale parent"] = error(api.create_commit, **dataset, commit_message="Late",
    operations=[CommitOperationAdd("late", b"")], parent_commit=first.oid)
answers["no file"] = error(api.delete_file, "no", **dataset)

api.create_tag(**dataset, tag="v1", revision=first.oid)
answers["tag twice"] = error(api.create_tag, **dataset, tag="v1")
api.create_branch(**dataset, branch="draft/one", revision="v1")
api.upload_file(path_or_fileobj=b"x", path_in_repo="draft.txt", revision="draft/one", **dataset)
refs = api.list_repo_refs(**dataset)
answers["tags"] = {ref.name: ref.target_commit == first.oid for ref in refs.tags}
answers["branches"] = sorted(ref.name for ref in refs.branches)
answers["drafted"] = [api.file_exists(**dataset, filename="draft.txt", revision=revision)
                    for revision in ("draft/one", "main")]
api.delete_tag(**dataset, tag="v1")
api.delete_branch(**dataset, branch="draft/one")
answers["no tag"] = error(api.repo_info, **dataset, revision="v1")

path = "datasets/org/tour/data/rows.parquet"
with HfFileSystem().open(path, block_size=1000) as file:
    file.seek(1_000_000)
    answers["range"] = file.read(5).hex()
local = Path(snapshot_download(**dataset))
answers["snapshot"] = {name for name, content in files.items()
                     if not (local / name).is_file() or (local / name).read_bytes() != content}
answers["snapshot"] = sorted(answers["snapshot"])
answers["no entry"] = error(hf_hub_download, **dataset, filename="no")

api.update_repo_settings(**dataset, private=True)
answers["private"] = api.repo_info(**dataset).private
answers["hidden"] = error(HfApi(token=False).repo_info, **dataset)
answers["wrong token"] = error(HfApi(token="hf_wrong").whoami)
api.delete_repo(**dataset)
answers["deleted"] = error(api.repo_info, **dataset)
print(json.dumps(answers))
"""


def test_the_clients_own_calls_find_a_hub(hub):
    done = hub.run(TOUR)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "me": "sokha",
        "missing": ["RepositoryNotFoundError", 404],
        "twice": ["HfHubHTTPError", 409],
        "url": f"{hub.url}/datasets/org/tour",
        "titles": ["Three", "Two", "One", "initial commit"],
        "files": 51,  # .gitattributes, one file deleted; more than one page
        "at first": 52,
        "no folder": ["RemoteEntryNotFoundError", 404],
        "paths": {"data/rows.parquet": [2**20, True], "data/001.txt": [5, False]},
        "exists": [True, False],
        "stale parent": ["HfHubHTTPError", 412],
        "no file": ["RemoteEntryNotFoundError", 404],
        "tag twice": ["HfHubHTTPError", 409],
        "tags": {"v1": True},
        "branches": ["draft/one", "main"],
        "drafted": [True, False],
        "no tag": ["RevisionNotFoundError", 404],
        "range": bytes(range(1_000_000 % 256, 1_000_000 % 256 + 5)).hex(),
        "snapshot": ["data/000.txt"],  # deleted since
        "no entry": ["RemoteEntryNotFoundError", 404],
        "private": True,
        "hidden": ["RepositoryNotFoundError", 401],
        "wrong token": ["HfHubHTTPError", 401],
        "deleted": ["RepositoryNotFoundError", 404],
    }
    assert PAGE < 50 and any("cursor=" in request.path for request in hub.requests)
    assert any(
        request.path.endswith("rows.parquet") and request.status == 206 for request in hub.requests
    )


def test_a_run_that_prints_its_token_is_caught(hub):
    with pytest.raises(AssertionError, match="printed its token") as error:
        hub.run("import os, sys; sys.stderr.write('token: ' + os.environ['HF_TOKEN'])")
    assert hub.token not in str(error.value)
