"""Folders of audio files with a transcript beside each."""

from .sound import TEXT, read, write_sound


def test_the_transcript_is_kept_as_it_stands(tmp_path):
    write_sound(tmp_path / "b.flac")
    write_sound(tmp_path / "deep" / "a.wav")
    (tmp_path / "b.txt").write_bytes("\ufeff១០ នាក់\r\n".encode())
    (tmp_path / "deep" / "a.txt").write_text(TEXT, encoding="utf-8")
    first, second = read(tmp_path)
    assert (first.id, first.recording, first.text) == ("b", "b", "\ufeff១០ នាក់\r\n")
    assert (second.id, second.text, second.problem) == ("a", TEXT, None)


def test_what_is_wrong_with_a_pair_is_its_problem(tmp_path):
    for name in ("single.wav", "latin.wav", "twice.wav", "twice.mp3", "deep/fine.wav", "fine.wav"):
        write_sound(tmp_path / name)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "mute-latin.txt").write_bytes(b"caf\xe9")
    for name in ("twice", "fine", "deep/fine", "mute"):
        (tmp_path / f"{name}.txt").write_text(TEXT, encoding="utf-8")
    problem_of = {recording.path: recording.problem for recording in read(tmp_path)}
    assert problem_of == {
        "deep/fine.wav": None,
        "fine.wav": "duplicate id fine: deep/fine.wav has it; rename one",
        "latin.wav": "latin.txt: byte 3 is not UTF-8; save the transcript as UTF-8",
        "single.wav": "no transcript: single.txt is missing",
        "twice.mp3": None,
        "twice.wav": "shares twice.txt with twice.mp3; keep one of the two",
        "mute.txt": "no audio file of this name beside the transcript",
        "mute-latin.txt": "mute-latin.txt: byte 3 is not UTF-8; save the transcript as UTF-8",
    }


def test_the_text_of_a_transcript_without_audio_counts(tmp_path):
    write_sound(tmp_path / "fine.wav")
    (tmp_path / "fine.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "mute.txt").write_text(TEXT, encoding="utf-8")
    _, mute = read(tmp_path)
    assert (mute.audio, mute.text) == (None, TEXT)
