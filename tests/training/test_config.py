"""One configuration, in TOML and out."""

from dataclasses import replace
from pathlib import Path

import pytest

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config, Mixed


def test_toml_gives_the_same_configuration_back(tmp_path):
    config = Config(
        dataset='a "quoted" name\\with/ខ្មែរ',
        epochs=3,
        learning_rate=1e-5,
        compile=True,
        trackers=("wandb", "mlflow"),
        mix=(Mixed("org/ខ្មែរ@v1", 0.5), Mixed('a "folder"', 2, "th")),
    )
    path = tmp_path / "training.toml"
    path.write_text(config.toml({"steps": 80, "versions": {"torch": "2.11.0"}}), encoding="utf-8")
    assert Config.read(path) == config
    assert Config.read(path, batch_size=2) == replace(config, batch_size=2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('dataset = "a"\nbatchsize = 4', "unknown key 'batchsize'"),
        ('dataset = "a"\nbatch_size = "4"', "batch_size = '4' is not a whole number"),
        ('dataset = "a"\nbatch_size = true', "is not a whole number"),
        ('dataset = "a"\nbatch_size = 0', "--batch-size is 0: give at least 1"),
        ('dataset = "a"\ntune = "all"', "choose full or decoder or lora"),
        ('dataset = "a"\ntimestamps = 2', "--timestamps is 2.0: give at least 0 and at most 1"),
        ('dataset = "a"\nlearning_rate = -1e-5', "give at least 0"),
        ("epochs = 2", "no dataset"),
        ('dataset = "a"\nepochs = nan', "epochs is nan"),
        ('dataset = "a"\nseed = -1', "--seed is -1: give at least 0 and at most 4294967295"),
        ('dataset = "a"\nbatch-size = 4', "unknown key 'batch-size'; known: batch_size"),
        ('dataset = "a"\ntrackers = "wandb"', "list of strings"),
        ('dataset = "a"\n[mix]\nb = 1e9', "at most 1000"),
        ('dataset = "a"\nmix = ["b"]', 'not a table of "NAME" = WEIGHT'),
        ('dataset = "a"\n[mix]\nb = "half"', "mix 'b' = 'half': give a weight"),
        ('dataset = "a"\n[mix]\nb = {weight = 1, lang = "th"}', "give a weight, or"),
        ('dataset = "a"\n[mix]\nb = 0', "mix b: the weight is 0.0: give more than 0"),
        ('dataset = "a"\n[mix]\na = 1', "a is named twice"),
        ('dataset = "a"\nstreaming = true', "give --max-steps with --streaming"),
        ('dataset = "a"\nstreaming = true\nmax_steps = 9\njoin = 0.1', "--join needs a clip's nei"),
        (
            'dataset = "a"\nstreaming = true\nmax_steps = 9\nprevious_text = 1',
            "--previous-text needs",
        ),
        ("epochs =", "is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path, text, complaint):
    path = tmp_path / "training.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=complaint):
        Config.read(path)


def test_whole_numbers_are_numbers():
    assert Config(dataset="a", epochs=3).toml() == Config(dataset="a", epochs=3.0).toml()
    with pytest.raises(UserError, match="cannot be read"):
        Config.read(Path("nowhere.toml"))


def test_a_folder_spelled_in_two_ways_is_one(tmp_path):
    with pytest.raises(UserError, match="is named twice"):
        Config(dataset=str(tmp_path), mix=(Mixed(f"{tmp_path}/../{tmp_path.name}", 1.0),))


def test_adapters_learn_faster_unless_told_otherwise():
    assert Config(dataset="a").learning_rate == 1e-5
    assert Config(dataset="a", tune="lora").learning_rate == 1e-3
    assert Config(dataset="a", tune="lora", learning_rate=1e-4).learning_rate == 1e-4


def test_the_training_toml_of_earlier_versions_is_read(tmp_path):
    path = tmp_path / "training.toml"
    path.write_text(
        'dataset = "org/a@v1"\nepochs = 3.0\ntrackers = []\n\n'
        '[mix]\n"org/b" = 0.5\n"org/thai" = {"weight" = 0.1, "language" = "th"}\n"org/c" = 2\n\n'
        '[provenance]\nsteps = 80\nversions = {"torch" = "2.11.0"}\n',
        encoding="utf-8",
    )
    mix = (Mixed("org/b", 0.5), Mixed("org/thai", 0.1, "th"), Mixed("org/c", 2.0))
    config = Config(dataset="org/a@v1", epochs=3.0, mix=mix)
    assert Config.read(path) == config
    path.write_text(config.toml(), encoding="utf-8")
    assert Config.read(path) == config  # in the same order
