"""What the folders of a data set say about its clips."""

from kws_tf.curation import labelled_clips
from kws_tf.dataset.speaker_name import SpeakerName


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_clips_of_splits_with_label_and_speaker(tmp_path):
    touch(tmp_path, "training/yes/ann/1.wav", "training/no/2.wav", "testing/yes/bob/3.flac", "noise/rain.wav")
    assert labelled_clips.find(tmp_path, SpeakerName()) == ([
        ("training/no/2.wav", "training", "no", ""), ("training/yes/ann/1.wav", "training", "yes", "ann"),
        ("testing/yes/bob/3.flac", "testing", "yes", "bob")], [])


def test_without_splits_the_folders_are_classes(tmp_path):
    touch(tmp_path, "yes/1.wav", "no/ann/2.wav")
    assert labelled_clips.find(tmp_path, SpeakerName())[0] == [("no/ann/2.wav", "", "no", "ann"), ("yes/1.wav", "", "yes", "")]


def test_clips_outside_the_classes_are_problems(tmp_path):
    touch(tmp_path / "a", "training/yes/1.wav", "training/loose.wav")
    touch(tmp_path / "b", "yes/1.wav", "loose.wav", "notes.txt")
    lines = [labelled_clips.find(tmp_path / name, SpeakerName())[1] for name in "ab"]
    assert lines == [["training/loose.wav: a clip outside the class folders. Move it to training/<class>/."],
                     ["loose.wav: a clip outside the class folders. Move it to <class>/."]]
