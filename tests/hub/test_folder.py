"""What is published of a folder, what is refused, and what a name means; without any Hub."""

from pathlib import Path

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.hub.folder import MANAGED, published_files
from khmer_aligned.hub.publish import Settings, publish
from khmer_aligned.hub.resolve import resolve


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No token: a publish gets exactly as far as the check of its folder."""
    monkeypatch.setattr("khmer_aligned.hub.resolve.get_token", lambda: None)


def folder_of(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


DATASET = ("README.md", "build.json", "data/train-00000-of-00001.parquet")
MODEL = ("README.md", "config.json", "model.safetensors")


@pytest.mark.parametrize(
    ("repo_type", "names", "complaint"),
    [
        ("dataset", DATASET, "no Hugging Face token"),
        ("model", MODEL, "no Hugging Face token"),
        ("dataset", MODEL, "is not a dataset folder: it has no data/*.parquet"),
        ("model", DATASET, "is not a model folder: it has no config.json"),
        ("dataset", DATASET[1:], "it has no README.md"),
        ("model", (*MODEL[:2], "exports/model.safetensors"), "it has no *.safetensors"),
        (
            "dataset",
            (*DATASET, "data/test-00000-of-00003.parquet", "data/test-00002-of-00003.parquet"),
            "is incomplete: data/test-00001-of-00003.parquet is missing",
        ),
        (
            "dataset",
            (*DATASET, *(f"data/train-{index:05d}-of-00002.parquet" for index in range(2))),
            "mixes two builds: data/train is there in 1 shards and in 2",
        ),
        ("model", (*MODEL, "training_args.bin"), "training_args.bin is a pickle"),
        ("model", (*MODEL, "old/weights.pt"), "weights.pt is a pickle"),
        ("model", (*MODEL, "checkpoints/3/optimizer.pt"), "no Hugging Face token"),
        ("model", (*MODEL, ".checkpoints/3/optimizer.pt"), "no Hugging Face token"),
    ],
)
def test_only_a_whole_folder_is_published(tmp_path, repo_type, names, complaint):
    folder = folder_of(tmp_path / "out", *names)
    with pytest.raises(UserError) as error:
        publish(folder, "org/name", repo_type, Settings())
    assert complaint in str(error.value)
    if complaint != "no Hugging Face token":
        assert str(folder) in str(error.value)


@pytest.mark.parametrize("name", ["name", "a/b/c", "org/na me", "org/name@main", "-org/name"])
def test_a_repository_has_an_owner_and_a_name(tmp_path, name):
    folder = folder_of(tmp_path / "out", *MODEL)
    with pytest.raises(UserError, match=r"cannot be a repository|name the repository with"):
        publish(folder, name, "model", Settings())


def test_a_linked_folder_is_named_and_not_left_out(tmp_path):
    elsewhere = folder_of(tmp_path / "elsewhere", "train-00000-of-00001.parquet")
    folder = folder_of(tmp_path / "out", "README.md")
    (folder / "data").symlink_to(elsewhere)
    with pytest.raises(UserError, match="data is a link to a folder"):
        publish(folder, "org/name", "dataset", Settings())


def test_work_in_progress_stays_at_home(tmp_path):
    work = (".partial/train.parquet", "checkpoints/1/model.safetensors", ".DS_Store", ".env")
    evaluation = ".eval_results/khmer.yaml"
    folder = folder_of(tmp_path / "out", *MODEL, *work, evaluation, "ct2/model.bin")
    assert set(published_files(folder)) == {*MODEL, evaluation, "ct2/model.bin"}


@pytest.mark.parametrize(
    ("repo_type", "name", "managed"),
    [
        ("dataset", "data/train-00000-of-00002.parquet", True),
        ("dataset", "README.md", False),
        ("dataset", "old/data/train.parquet", False),
        ("model", "model-00001-of-00002.safetensors", True),
        ("model", "model.safetensors.index.json", True),
        ("model", "pytorch_model.bin", True),
        ("model", "models-of-old/a.safetensors", False),
        ("model", "ct2/model.bin", False),
        ("model", "config.json", False),
    ],
)
def test_only_what_a_loader_would_pick_up_is_ever_deleted(repo_type, name, managed):
    assert bool(MANAGED[repo_type].fullmatch(name)) is managed


def test_a_folder_wins_over_a_repository_of_its_name(tmp_path, monkeypatch):
    folder_of(tmp_path / "org" / "name", *DATASET)
    monkeypatch.chdir(tmp_path)
    source = resolve("org/name", "dataset")
    assert (Path(source.path), source.revision) == (Path("org/name"), None)
    assert resolve(str(tmp_path / "org/name"), "dataset").version == source.version


def test_the_version_of_a_folder_is_that_of_its_data(tmp_path):
    folder = folder_of(tmp_path / "out", *DATASET)
    before = resolve(str(folder), "dataset").version
    assert before.startswith("sha256:") and len(before) == len("sha256:") + 64
    (folder / "README.md").write_text("a better card")
    assert resolve(str(folder), "dataset").version == before
    (folder / DATASET[-1]).write_text("other clips")
    changed = resolve(str(folder), "dataset").version
    assert changed != before
    (folder / DATASET[-1]).rename(folder / "data" / "test-00000-of-00001.parquet")
    assert resolve(str(folder), "dataset").version not in (before, changed)


def test_what_cannot_be_a_name_is_said_so(tmp_path):
    file = folder_of(tmp_path, "clips.parquet") / "clips.parquet"
    with pytest.raises(UserError, match="is a file"):
        resolve(str(file), "dataset")
    for name in ("./missing", "/no/such/folder", "a/b/c", "khmer aligned"):
        with pytest.raises(UserError, match="no such folder"):
            resolve(name, "dataset")
    with pytest.raises(UserError, match="has no name"):
        resolve("", "dataset")


def test_files_that_bear_the_name_of_this_machine_stay_at_home(tmp_path):
    folder_of(tmp_path, *MODEL, "runs/events.out.tfevents.1.my-host.2.0", "runs/more/x")
    assert set(published_files(tmp_path)) == set(MODEL)
