"""Publishing to a Hub and loading back, with the clients as they are installed."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from khmer_aligned.hub import patience

from .folders import CARD, CLIENT, dataset, steps

DATA = "org/khmer-aligned"
HURRY = ("hurry", {})  # waits are short
MODEL = "org/whisper-khmer"

pytestmark = pytest.mark.slow


def push(folder: Path, repo_id: str = DATA, repo_type: str = "dataset", **rest):
    return "publish", {"folder": folder, "repo_id": repo_id, "repo_type": repo_type, **rest}


def test_a_dataset_comes_back_row_for_row_and_a_second_push_uploads_nothing(hub, tmp_path):
    folder = dataset(tmp_path / "out")
    first, again, pinned, here, there, streamed = steps(
        hub,
        push(folder, tag="v1"),
        push(folder, tag="v1"),
        ("resolve", {"name": f"{DATA}@v1", "repo_type": "dataset"}),
        ("rows", {"name": str(folder)}),
        ("rows", {"name": DATA}),
        ("rows", {"name": DATA, "streaming": True}),
    )
    assert there == streamed == here
    assert [len(there["train"]), len(there["test"])] == [4, 2]
    assert there["train"][0]["text"] == "សួស្តី"
    assert there["train"][0]["words"][0]["end"] == 0.75

    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert set(first["uploaded"]) == files
    assert set(hub.files("dataset", DATA)) == files | {".gitattributes"}
    assert first["url"] == f"{hub.url}/datasets/{DATA}"
    assert not hub.repo("dataset", DATA).private

    assert again["uploaded"] == [] and set(again["skipped"]) == files
    assert again["commit"] == first["commit"] == pinned["revision"]
    assert [commit.title for commit in hub.commits("dataset", DATA)] == [
        "Publish",
        "initial commit",
    ]
    assert len(hub.uploads) == 3  # one for each shard, once
    assert hub.repo("dataset", DATA).tags == {"v1": first["commit"]}


def test_a_new_build_replaces_the_shards_of_the_old_one(hub, tmp_path):
    old, new = dataset(tmp_path / "old", 3), dataset(tmp_path / "new", 2, seed=1)
    (new / "build.json").write_bytes((old / "build.json").read_bytes())
    by_hand = {"picture.svg": b"<svg/>", ".gitignore": b"*.parquet\n"}
    hub.meanwhile("POST", "/tag/", lambda: hub.commit("dataset", DATA, by_hand, "By hand"))
    first, moved, second, third, before, after, local = steps(
        hub,
        push(old, tag="v1"),
        push(new, tag="v1"),
        push(new, tag="v2"),
        push(new, tag="v3"),
        ("rows", {"name": f"{DATA}@v1"}),
        ("rows", {"name": DATA}),
        ("rows", {"name": str(new)}),
    )
    assert "the tag v1 already names commit" in moved["user_error"]
    stale = [f"data/train-{index:05d}-of-00003.parquet" for index in range(3)]
    assert second["deleted"] == stale
    assert second["skipped"] == ["README.md", "build.json", "rejected.jsonl"]
    kept = {".gitattributes", *by_hand}
    written = {path.relative_to(new).as_posix() for path in new.rglob("*.*")}
    assert set(hub.files("dataset", DATA)) == written | kept
    assert after == local
    assert len(before["train"]) == 6 and len(after["train"]) == 4
    # v3 came later onto the same commit: nothing to upload, still a tag
    assert third["uploaded"] == [] and third["commit"] == second["commit"]
    tags = hub.repo("dataset", DATA).tags
    assert tags == {"v1": first["commit"], "v2": second["commit"], "v3": second["commit"]}


def test_a_model_comes_back_at_the_revision_asked_for(hub, tmp_path):
    folder, later = tmp_path / "out", tmp_path / "later"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "optimizer.pt").write_bytes(b"half-trained")
    _, _, first, second, local, local_later, at_tag, newest, unknown = steps(
        hub,
        ("whisper", {"folder": folder, "seed": 0}),
        ("whisper", {"folder": later, "seed": 1}),
        push(folder, MODEL, "model", tag="v1"),
        push(later, MODEL, "model"),
        ("weights", {"name": str(folder)}),
        ("weights", {"name": str(later)}),
        ("weights", {"name": f"{MODEL}@v1"}),
        ("weights", {"name": MODEL}),
        ("weights", {"name": f"{MODEL}@v9"}),
    )
    assert local != local_later
    assert at_tag == local and newest == local_later
    assert second["uploaded"] == ["model.safetensors"]
    assert "checkpoints" not in "".join(first["uploaded"])
    assert first["url"] == f"{hub.url}/{MODEL}"
    assert unknown["user_error"] == f"{MODEL} has no revision v9"


def test_a_push_that_is_killed_leaves_nothing_and_the_next_one_uploads_what_is_missing(
    hub, tmp_path
):
    folder = dataset(tmp_path / "out", 5)
    hub.kill("PUT", "/storage/", skip=3, after=10_000)
    done = hub.run([sys.executable, str(CLIENT), json.dumps([push(folder)], default=str)])
    assert done.returncode == -9 and done.stdout == ""
    assert [commit.title for commit in hub.commits("dataset", DATA)] == ["initial commit"]

    before = len(hub.requests)
    hub.cut("PUT", "/storage/", after=10_000)  # and a line that breaks once is no reason to fail
    [published] = steps(hub, push(folder))
    arrived, sent = (
        {request.path for request in part if request.method == "PUT" and request.status == 200}
        for part in (hub.requests[:before], hub.requests[before:])
    )
    assert 3 <= len(arrived) < 6
    assert len(sent) == 6 - len(arrived) and not sent & arrived
    assert len(hub.commits("dataset", DATA)) == 2
    assert len(published["uploaded"]) == 9


def test_a_busy_hub_is_asked_again_and_a_rival_is_not_overwritten(hub, tmp_path):
    folder, other = dataset(tmp_path / "out"), dataset(tmp_path / "other", seed=1)
    for status in (500, 409):
        hub.fail("POST", "/commit/", status)
    hub.fail("POST", "/commit/", 429, headers={"Retry-After": "0"})
    # A file beside ours does not stand in the way; nothing of it is lost.
    hub.meanwhile("POST", "/commit/", lambda: hub.commit("dataset", DATA, {"x": b""}, "Rival"))
    _, done = steps(hub, HURRY, push(folder, tag="v1"))
    titles = [commit.title for commit in hub.commits("dataset", DATA)]
    assert titles == ["Publish", "Rival", "initial commit"]
    assert "x" in hub.files("dataset", DATA)
    assert hub.repo("dataset", DATA).tags == {"v1": done["commit"]}
    assert len(hub.uploads) == 3

    card = {"README.md": b"theirs"}
    hub.meanwhile("POST", "/commit/", lambda: hub.commit("dataset", DATA, card, "Rival"))
    (other / "README.md").write_text(CARD + "ours\n", encoding="utf-8")
    _, beaten = steps(hub, HURRY, push(other))
    assert "README.md was changed by somebody else meanwhile" in beaten["user_error"]
    assert hub.read("dataset", DATA, "README.md") == b"theirs"


def test_a_hub_that_stays_broken_is_given_up_with_a_way_out(hub, tmp_path):
    folder = dataset(tmp_path / "out", 1)
    hub.fail("POST", "/commit/", 503, times=100)
    _, broken = steps(hub, HURRY, push(folder))
    assert "answered 503" in broken["user_error"] and "try again later" in broken["user_error"]
    asked = [request for request in hub.requests if "/commit/" in request.path]
    assert len(asked) == patience.ATTEMPTS
    assert [commit.title for commit in hub.commits("dataset", DATA)] == ["initial commit"]


def test_a_commit_whose_answer_is_lost_is_made_once(hub, tmp_path):
    folder = dataset(tmp_path / "out", 1)
    hub.lose("POST", "/commit/")
    _, done = steps(hub, HURRY, push(folder))
    assert [commit.title for commit in hub.commits("dataset", DATA)] == [
        "Publish",
        "initial commit",
    ]
    assert done["commit"] == hub.commits("dataset", DATA)[0].id
    assert len(done["uploaded"]) == 5


def test_a_dry_run_changes_nothing_here_or_there(hub, tmp_path):
    folder = dataset(tmp_path / "out", 1)
    (folder / "README.md").write_text(CARD + 'load_dataset("elsewhere")\n', encoding="utf-8")
    card = (folder / "README.md").read_bytes()
    tried, _, again = steps(
        hub, push(folder, dry_run=True, licence="mit"), push(folder), push(folder, dry_run=True)
    )
    assert tried["commit"] is None and len(tried["uploaded"]) == 5 and tried["bytes"] > 10_000
    assert hub.requests[0].method == "GET" and card != (folder / "README.md").read_bytes()
    assert again["uploaded"] == [] and again["commit"] is None
    assert len(hub.commits("dataset", DATA)) == 2


def test_a_pull_request_leaves_the_main_branch(hub, tmp_path):
    folder, later = dataset(tmp_path / "out", 1), dataset(tmp_path / "later", 1, seed=1)
    first, asked, tagged = steps(
        hub, push(folder), push(later, create_pr=True), push(later, create_pr=True, tag="v1")
    )
    assert asked["url"] == f"{hub.url}/datasets/{DATA}/discussions/1"
    repo = hub.repo("dataset", DATA)
    assert repo.branches["main"] == first["commit"]
    assert repo.pulls == {"refs/pr/1": asked["commit"]}
    shard = "data/train-00000-of-00001.parquet"
    assert hub.read("dataset", DATA, shard, "refs/pr/1") == (later / shard).read_bytes()
    assert "--tag names a commit of the main branch" in tagged["user_error"]


def test_nothing_is_published_without_a_licence(hub, tmp_path):
    folder = dataset(tmp_path / "out", 1)
    (folder / "README.md").write_text(
        "---\nlanguage: km\npretty_name: Clips\n---\n# Clips\n\nLicence: none is stated.\n",
        encoding="utf-8",
    )
    refused, wrong, unknown, kept = steps(
        hub,
        push(folder),
        push(folder, licence="free"),
        push(folder, licence="unknown", title="Voices: of ភ្នំពេញ"),
        push(folder),
    )
    assert "states no licence: give --licence with one of cc0-1.0 (no" in refused["user_error"]
    assert "--licence free: not one that the Hub knows" in wrong["user_error"]
    card = hub.read("dataset", DATA, "README.md").decode()
    data = DatasetCard(card).data
    assert (data.license, data.pretty_name) == ("unknown", "Voices: of ភ្នំពេញ")
    assert "# Voices: of ភ្នំពេញ\n" in card
    assert "The rights are not settled" in card
    assert kept["commit"] == unknown["commit"]  # it is asked for once


def test_hundreds_of_files_are_one_commit(hub, tmp_path):
    folder = dataset(tmp_path / "out", 120, seconds=0.05)
    published, there = steps(hub, push(folder), ("rows", {"name": DATA}))
    assert len(published["uploaded"]) == 124
    assert len(hub.commits("dataset", DATA)) == 2
    assert len({row["id"] for row in there["train"]}) == 240


def test_uploads_go_through_xet_as_they_do_by_default(hub, tmp_path):
    folder = dataset(tmp_path / "out", seconds=8.0)
    hub.fail("POST", "/xet/v1/xorbs/", 403)
    refused, first, again, here, there = steps(
        hub,
        push(folder),
        push(folder),
        push(folder),
        ("rows", {"name": str(folder)}),
        ("rows", {"name": DATA}),
        xet=True,
    )
    assert "403 Forbidden" in refused["user_error"] and "\n" not in refused["user_error"]
    assert there == here
    assert again["uploaded"] == [] and again["commit"] == first["commit"]
    assert len(hub.commits("dataset", DATA)) == 2
    assert hub.uploads and all("/xet/v1/xorbs/" in request.path for request in hub.uploads)
    shard = "data/train-00000-of-00002.parquet"
    assert hub.read("dataset", DATA, shard) == (folder / shard).read_bytes()


def test_who_may_publish_what(hub, tmp_path):
    folder, other = dataset(tmp_path / "out", 1), dataset(tmp_path / "other", 1, seed=1)
    secret = "org/secret"

    def find(name, token):
        return "resolve", {"name": name, "repo_type": "dataset", "token": token}

    reader, stranger, wrong = hub.reader, hub.stranger, "hf_" + "x" * 34
    unsendable = ["hf_twisted\ttoken", "hf_ខ្មែរ"]
    answers = steps(
        hub,
        push(folder, secret, private=True),
        push(folder, secret),
        find(secret, hub.token),
        push(folder),
        push(folder, private=True),
        push(folder, "nobody/x"),
        find(secret, reader),
        push(other, token=reader),
        find(secret, stranger),
        push(folder, secret, token=stranger),
        push(folder, "org/new", token=stranger),
        push(folder, token=wrong),
        find(DATA, wrong),
        push(folder, token=""),
        find(DATA, ""),
        find(secret, ""),
        push(folder, token=unsendable[0]),
        find(DATA, unsendable[1]),
    )
    errors = [answer.get("user_error", "") for answer in answers]
    assert not any("\n" in error for error in errors)
    missing = f"no dataset on {hub.url} that may be read from here"
    expected = [
        *[""] * 4,
        "is public",  # asking for privacy after the fact
        "no organisation or user nobody",
        "",  # a member may read
        "the token has no permission",
        missing,  # who may not see it is not told that it exists
        f"{secret} cannot be created",
        "may not create repositories there",
        *["does not accept the token"] * 2,
        "no Hugging Face token",
        "",  # what is public needs no token
        missing,
        *["holds characters that no token has"] * 2,
    ]
    assert len(answers) == len(expected)
    for error, part in zip(errors, expected, strict=True):
        assert part in error if part else not error

    created, kept, found, public = answers[:4]
    assert hub.repo("dataset", secret).private  # also after the push that did not ask for it
    assert created["commit"] == kept["commit"] == found["revision"] == answers[6]["revision"]
    assert answers[14]["revision"] == public["commit"]
    assert len(hub.commits("dataset", DATA)) == len(hub.commits("dataset", secret)) == 2
    assert set(hub.server.store.repos) == {("dataset", DATA), ("dataset", secret)}


def test_what_can_be_told_beforehand_stops_the_upload(hub, tmp_path):
    bad_card = dataset(tmp_path / "bad_card", 1)
    (bad_card / "README.md").write_text("---\nlanguage: [km\n---\n# Clips\n")
    no_data = dataset(tmp_path / "no_data", 1)
    shutil.rmtree(no_data / "data")
    good = dataset(tmp_path / "good", 1)
    card, empty, nowhere, tag = steps(
        hub, push(bad_card), push(no_data), push(good, "good"), push(good, tag="a b")
    )
    assert "README.md: the Hub refuses its header" in card["user_error"]
    assert "has no data/*.parquet" in empty["user_error"]
    assert "org/good" in nowhere["user_error"]
    assert "cannot be a tag" in tag["user_error"]
    assert all("\n" not in answer["user_error"] for answer in (card, empty, nowhere, tag))
    assert hub.uploads == []


def test_without_the_hub_a_name_means_the_commit_it_meant_last(hub, tmp_path):
    folder = dataset(tmp_path / "out", 1)
    home = tmp_path / "home"
    published, known = steps(
        hub, push(folder), ("resolve", {"name": DATA, "repo_type": "dataset"}), home=home
    )
    assert known["revision"] == published["commit"]
    hub.server.stop()
    still_known, pinned, unknown, refused = steps(
        hub,
        ("resolve", {"name": DATA, "repo_type": "dataset"}),
        ("resolve", {"name": f"{DATA}@{known['revision']}", "repo_type": "dataset"}),
        ("resolve", {"name": "org/other", "repo_type": "dataset"}),
        push(folder),
        home=home,
    )
    assert still_known == pinned == known
    assert "cannot be reached" in unknown["user_error"]
    assert f"the transfer with {hub.url} failed (ConnectError)" in refused["user_error"]
