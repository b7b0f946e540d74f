"""Folders of audio files with a transcript beside each."""

from khmer_aligned.schema import Cue, Problem

from .sound import TEXT, read, write_sound


def test_the_transcript_is_kept_as_it_stands(tmp_path):
    write_sound(tmp_path / "b.flac")
    write_sound(tmp_path / "deep" / "a.wav")
    (tmp_path / "b.txt").write_bytes("\ufeff១០ នាក់\r\n".encode())
    (tmp_path / "deep" / "a.txt").write_text(TEXT, encoding="utf-8")
    first, second = read(tmp_path)
    assert (first.id, first.recording, first.text) == ("b", "b", "\ufeff១០ នាក់\r\n")
    assert (second.id, second.text, second.problem) == ("deep/a", TEXT, None)


def test_what_is_wrong_with_a_pair_is_its_problem(tmp_path):
    for name in ("single.wav", "latin.wav", "twice.wav", "twice.mp3", "deep/fine.wav", "fine.wav"):
        write_sound(tmp_path / name)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "mute-latin.txt").write_bytes(b"caf\xe9")
    for name in ("twice", "fine", "deep/fine", "mute"):
        (tmp_path / f"{name}.txt").write_text(TEXT, encoding="utf-8")
    read_as = {r.path: (r.problem, r.detail) for r in read(tmp_path)}
    not_utf8 = (
        "byte 3 is not UTF-8; save the transcript as UTF-8, and convert text in a legacy font "
        "(Limon, ABC) to Unicode first"
    )
    assert read_as == {
        "deep/fine.wav": (None, ""),
        "fine.wav": (None, ""),
        "latin.wav": (Problem.UNREADABLE_TRANSCRIPT, f"latin.txt: {not_utf8}"),
        "single.wav": (Problem.NO_TRANSCRIPT, "no transcript: single.txt is missing"),
        "twice.mp3": (None, ""),
        "twice.wav": (Problem.DUPLICATE, "shares twice.txt with twice.mp3; keep one of them"),
        "mute.txt": (Problem.NO_AUDIO, "no audio file of this name beside the transcript"),
        "mute-latin.txt": (Problem.UNREADABLE_TRANSCRIPT, f"mute-latin.txt: {not_utf8}"),
    }


def test_the_text_of_a_transcript_without_audio_counts(tmp_path):
    write_sound(tmp_path / "fine.wav")
    (tmp_path / "fine.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "mute.txt").write_text(TEXT, encoding="utf-8")
    _, mute = read(tmp_path)
    assert (mute.audio, mute.text) == (None, TEXT)


def write_pair(path, seconds=0.5, ending=".txt"):
    write_sound(path.with_suffix(".wav"), seconds)
    path.with_suffix(ending).write_text(TEXT, encoding="utf-8")


def test_a_folder_for_each_speaker(tmp_path, capsys):
    for k, name in enumerate(("dara/001", "sokha/001", "sokha/day2/001")):
        write_pair(tmp_path / name, 0.5 + k / 10)
    read_as = [(r.id, r.speaker, r.problem) for r in read(tmp_path)]
    assert read_as == [
        ("dara/001", "dara", None),
        ("sokha/001", "sokha", None),
        ("sokha/day2/001", "sokha", None),
    ]
    assert "a folder for each speaker: 2 speakers" in capsys.readouterr().err
    write_pair(tmp_path / "loose", 1.0)
    assert {r.speaker for r in read(tmp_path)} == {None}


def test_pairs_under_train_and_test_keep_their_split(tmp_path):
    for k, name in enumerate(("train/dara/1", "train/sokha/1", "test/bopha/1", "dev/vanna/1")):
        write_pair(tmp_path / name, 0.5 + k / 10)
    assert {(r.id, r.split, r.speaker) for r in read(tmp_path)} == {
        ("train/dara/1", "train", "dara"),
        ("train/sokha/1", "train", "sokha"),
        ("test/bopha/1", "test", "bopha"),
        ("dev/vanna/1", "validation", "vanna"),
    }


def test_endings_in_capitals_and_hidden_files(tmp_path):
    write_pair(tmp_path / "a", ending=".TXT")
    (tmp_path / "a.wav").rename(tmp_path / "a.WAV")
    write_pair(tmp_path / ".hidden" / "b")
    (tmp_path / "._a.txt").write_bytes(b"\0")
    assert [(r.id, r.text, r.problem) for r in read(tmp_path)] == [("a", TEXT, None)]


def test_captions_are_transcripts_and_plain_text_goes_before_them(tmp_path, capsys):
    caption = f"1\n00:00:01,000 --> 00:00:02,500\n{TEXT}\n"
    write_sound(tmp_path / "a.wav")
    (tmp_path / "a.km.srt").write_text(caption, encoding="utf-8")
    (recording,) = read(tmp_path)
    assert (recording.text, recording.cues) == (TEXT, (Cue(0, len(TEXT), 1.0, 2.5),))
    (tmp_path / "a.txt").write_text("ផ្សេង", encoding="utf-8")
    (recording,) = read(tmp_path)
    assert (recording.text, recording.cues) == ("ផ្សេង", ())
    assert "a.txt is read, not a.km.srt" in capsys.readouterr().err


def test_links_out_of_the_folder_are_not_read(tmp_path):
    folder = tmp_path / "folder"
    write_pair(tmp_path / "secret")
    write_pair(folder / "a", 0.7)
    write_pair(folder / "b", 0.8)
    (folder / "a.wav").unlink()
    (folder / "a.wav").symlink_to(tmp_path / "secret.wav")
    (folder / "b.txt").unlink()
    (folder / "b.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "c.wav").symlink_to(folder / "b.wav")  # inside, so it may be read
    (folder / "c.txt").write_text(TEXT, encoding="utf-8")
    a, b, c = read(folder)
    assert (a.problem, a.audio) == (Problem.OUTSIDE, None)
    assert (b.problem, b.text) == (Problem.OUTSIDE, "")
    assert (c.problem, c.content) == (None, b.content)


def test_one_text_of_several_recordings(tmp_path, capsys):
    for k, name in enumerate(("a", "b", "part/c", "own")):
        write_sound(tmp_path / f"{name}.wav", 0.5 + k / 10)
    (tmp_path / "book.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "own.txt").write_text("ផ្សេង", encoding="utf-8")
    read_as = {r.id: (r.text, r.text_file, r.problem) for r in read(tmp_path)}
    of_the_book = ("", tmp_path / "book.txt", None)
    assert read_as == {
        "a": of_the_book,
        "b": of_the_book,
        "part/c": of_the_book,
        "own": ("ផ្សេង", None, None),
    }
    said = "book.txt: which passage each of 3 recordings speaks is found in their audio"
    assert said in capsys.readouterr().err


def test_two_texts_or_one_that_is_not_khmer_are_of_no_recording(tmp_path):
    write_sound(tmp_path / "a.wav")
    (tmp_path / "README.txt").write_text("These are recordings.", encoding="utf-8")
    assert [r.problem for r in read(tmp_path)] == [Problem.NO_TRANSCRIPT, Problem.NO_AUDIO]
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text(TEXT, encoding="utf-8")
    assert [r.problem for r in read(tmp_path)] == [Problem.NO_TRANSCRIPT, *[Problem.NO_AUDIO] * 3]


def test_a_text_of_several_recordings_is_no_link_out_of_the_folder(tmp_path):
    (tmp_path / "secret.txt").write_text(TEXT, encoding="utf-8")
    write_sound(tmp_path / "folder" / "a.wav")
    (tmp_path / "folder" / "book.txt").symlink_to(tmp_path / "secret.txt")
    (recording,) = read(tmp_path / "folder")
    assert (recording.problem, recording.text_file) == (Problem.OUTSIDE, None)
