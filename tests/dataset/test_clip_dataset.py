"""A folder becomes a data set as a user would expect, or an error that names all that is wrong."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from kws_tf import dataset
from kws_tf.config import DataConfig
from kws_tf.dataset import decode
from kws_tf.dataset.tensorflow_io_decoder import TensorFlowIODecoder
from kws_tf.errors import ConfigError, DatasetError

REPOSITORY = pathlib.Path(__file__).parents[2]
REAL_DATA = pathlib.Path(os.environ.get("KWS_DATA", REPOSITORY.parent / "shared" / "data"))


def load(folder, splits=dataset.SPLITS, classes=None, **settings):
    return dataset.load(folder.config(**settings), 16000, splits, classes=classes, progress=False)


def problems(folder, **settings):
    with pytest.raises(DatasetError) as error:
        load(folder, **settings)
    return list(error.value.problems)


def test_three_splits_share_the_classes_of_training(folder):
    clips = folder.fill()
    found = load(folder)
    assert found.classes == ("no", "yes") and found.backend == "soundfile" and found.n_bad_files == 0 and found.missing_splits == ()
    assert list(found.splits) == ["training", "validation", "testing"]
    for name, split in found.splits.items():
        assert split.name == name and split.n_clips == 4 and split.labels.tolist() == [0, 0, 1, 1]
        for i, path in enumerate(split.paths):
            np.testing.assert_array_equal(split.pcm(i), clips[path])


def test_an_index_reorders_the_labels_of_every_split_and_decodes_nothing(folder, tmp_path, log):
    folder.fill()
    load(folder)
    (tmp_path / "index.txt").write_text("yes\nno\n")
    found = load(folder, index=str(tmp_path / "index.txt"))
    assert found.classes == ("yes", "no") and all(split.labels.tolist() == [1, 1, 0, 0] for split in found.splits.values())
    assert sum("unchanged, from the cache" in line for line in log()) == 3


def test_a_missing_testing_split_is_stated(folder, log):
    folder.fill(splits=("training", "validation"))
    found = load(folder)
    assert list(found.splits) == ["training", "validation"] and found.missing_splits == ("testing",)
    assert any("no split 'testing'" in line for line in log())


def test_training_and_validation_cannot_be_missing(folder):
    folder.fill(splits=("testing",))
    found = problems(folder)
    assert [line.split(":")[0] for line in found] == ["training", "validation"] and "found none" in found[0]


def test_a_split_that_is_not_asked_for_is_not_looked_at(folder):
    folder.fill(splits=("training", "validation"))
    (folder.root / "training/no/broken.wav").write_text("x")
    assert load(folder, splits=("validation",)).classes == ("no", "yes")


@pytest.fixture
def broken(folder, tmp_path):
    """Everything wrong at once."""
    folder.fill(classes=("no", "up", "yes"))
    for path in (folder.root / "validation/up").iterdir():
        path.unlink()
    (folder.root / "validation/up").rmdir()
    (folder.root / "training/empty").mkdir()
    folder.clip("testing/extra/a.wav")
    (folder.root / "training/no/text.wav").write_text("this is text")
    (folder.root / "training/no/zero.wav").write_bytes(b"")
    (folder.root / "training/no/strange.m4a").write_text("x")
    folder.clip("training/no/none.wav", 0)
    folder.clip("validation/no/cut.wav")
    os.truncate(folder.root / "validation/no/cut.wav", 400)
    folder.clip("testing/loose.wav")
    same = folder.clip("testing/yes/same.wav")
    soundfile.write(folder.root / "training/yes/copy.flac", same, 16000)
    (tmp_path / "index.txt").write_text("no\nyes\nmaybe\n")
    return folder


def test_all_problems_are_listed_in_one_error(broken, tmp_path):
    found = problems(broken, index=str(tmp_path / "index.txt"))
    starts = [f"--index={tmp_path}/index.txt: without a folder in training: maybe",
              f"--index={tmp_path}/index.txt: not named in it: empty, up",
              "training/empty: no clips", "validation/empty: the folder of this class is missing", "validation/up: the folder",
              "testing/extra: not one of the classes", "testing/empty: the folder",
              "training/no/strange.m4a: .m4a is no kind", "training/no/none.wav: the recording holds no samples",
              "training/no/text.wav: not a recording", "training/no/zero.wav: the file is empty",
              "validation/no/cut.wav: the recording is truncated",
              "testing/loose.wav: a clip outside", "training/yes/copy.flac: the same sound as testing/yes/same.wav"]
    assert len(found) == len(starts)
    assert all(line.startswith(start) for line, start in zip(found, starts, strict=True)), found


def test_the_summary_counts_them(broken):
    with pytest.raises(DatasetError, match=r"^--data_root=.*: 5 layout problems and 7 unusable files\. Every split needs"):
        load(broken)


def test_bad_files_alone_can_be_left_out_and_are_counted(folder, log):
    clips = folder.fill()
    (folder.root / "training/no/text.wav").write_text("this is text")
    (folder.root / "training/no/strange.m4a").write_text("x")
    soundfile.write(folder.root / "training/yes/copy.flac", clips["validation/yes/0.wav"], 16000)
    with pytest.raises(DatasetError, match="3 unusable files.*--allow_bad_files"):
        load(folder)
    found = load(folder, allow_bad_files=True)
    assert found.n_bad_files == 3
    assert found.splits["training"].paths == [path for path in sorted(clips) if path.startswith("training")]
    assert found.splits["validation"].n_clips == 4
    assert any(line.startswith("--allow_bad_files: going on without 3 unusable files:") for line in log())


def test_a_class_without_a_usable_clip_is_not_forgiven(folder):
    folder.fill()
    for i in range(2):
        (folder.root / f"validation/yes/{i}.wav").write_text("x")
    found = problems(folder, allow_bad_files=True)
    assert found[0] == "validation/yes: none of its 2 clips can be used." and len(found) == 3


def test_digital_silence_may_be_in_every_split(folder):
    folder.fill()
    for split in dataset.SPLITS:
        for i in range(2):
            folder.clip(f"{split}/_silence_/{i}.wav", pcm=np.zeros(100, np.int16))
    assert load(folder).classes == ("_silence_", "no", "yes")


def test_one_sound_in_two_classes_is_a_warning(folder, log):
    clips = folder.fill()
    folder.clip("training/yes/same.wav", pcm=clips["training/no/0.wav"])
    load(folder)
    assert [line for line in log() if "two classes" in line] == [
        "training: 1 pair of the same sound in two classes; the first: training/no/0.wav and training/yes/same.wav."]


def test_conversions_lengths_and_ignored_files_are_stated(folder, log):
    folder.fill(splits=("training", "validation"))
    soundfile.write(folder.root / "training/no/other.wav", np.random.default_rng(0).uniform(-0.5, 0.5, (4410, 2)), 44100, subtype="PCM_24")
    folder.clip("training/yes/long.wav", 3200)
    folder.clip("training/yes/short.wav", 800)
    (folder.root / "training/no/notes.txt").write_text("x")
    assert load(folder).splits["training"].lengths.tolist() == [1600, 1600, 1600, 1600, 1600, 3200, 800]
    lines = log()
    assert "training: converted to 16000 Hz, 1 channel: 1 clip of 44100 Hz, 2 channels." in lines
    assert "training: not audio and ignored: 1 .txt." in lines
    assert ("training: 7 clips of 0.050 to 0.200 s; 1 longer than --clip_duration=0.1 s (cut: random), 1 shorter (padded with zeros)."
            in lines)
    assert any(line.startswith("validation: 4 clips") and "(cut: energy)" in line for line in lines)


def test_a_model_brings_its_classes_and_needs_no_training(folder, log):
    folder.fill(splits=("testing",), classes=("no", "yes"))
    found = load(folder, splits=("testing",), classes=("yes", "stop", "no"))
    assert found.classes == ("yes", "stop", "no") and found.splits["testing"].labels.tolist() == [2, 2, 0, 0]
    assert found.missing_classes == {"testing": ("stop",)} and any("no clips of 1 of 3 classes: stop" in line for line in log())
    with pytest.raises(DatasetError, match="not one of the classes, which are yes, stop"):
        load(folder, splits=("testing",), classes=("yes", "stop"))
    with pytest.raises(DatasetError, match="validation: the folder of this split is missing"):
        load(folder, splits=("validation",), classes=("yes", "no"))


def test_a_wrong_root_is_named(folder):
    with pytest.raises(DatasetError, match="there is no such folder"):
        load(folder)


def test_links_make_a_data_set(folder, tmp_path):
    clips = folder.fill()
    linked = tmp_path / "linked"
    for path in clips:
        (linked / path).parent.mkdir(parents=True, exist_ok=True)
        (linked / path).symlink_to(folder.root / path)
    found = dataset.load(folder.config(data_root=str(linked)), 16000, progress=False)
    assert [split.paths for split in found.splits.values()] == [split.paths for split in load(folder).splits.values()]


def test_an_unusable_backend_is_refused(folder, monkeypatch):
    decode.choose.cache_clear()
    monkeypatch.setattr(TensorFlowIODecoder, "probe", classmethod(lambda cls: (None, "no library")))
    folder.fill()
    with pytest.raises(ConfigError, match="no library"):
        load(folder, audio_backend="tensorflow_io")
    decode.choose.cache_clear()


def test_loading_with_soundfile_imports_no_tensorflow(folder):
    folder.fill()
    program = ("import sys; from kws_tf import config, dataset; "
               f"dataset.load(config.DataConfig(data_root={str(folder.root)!r}, cache_dir={str(folder.root.parent / 'c')!r}, "
               "audio_backend='soundfile'), 16000, progress=False); print(*sorted(sys.modules))")
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout.split()
    assert "soundfile" in modules and not {"tensorflow", "tensorflow_io", "keras"} & set(modules)


@pytest.mark.slow
@pytest.mark.parametrize("name, counts, n_classes", [
    ("speech_commands_bed_cat_happy", {"training": 5101, "validation": 807, "testing": 816}, 5),
    ("arabic_speech_commands_12", {"validation": 780, "testing": 420}, 12),
])
def test_real_recordings_load_without_a_problem(tmp_path, name, counts, n_classes):
    if not (REAL_DATA / name).is_dir():
        pytest.skip(f"no recordings at {REAL_DATA / name}; set KWS_DATA")
    data = DataConfig(data_root=str(REAL_DATA / name), cache_dir=str(tmp_path), audio_backend="soundfile")
    found = dataset.load(data, 16000, tuple(counts), progress=False)
    assert {split.name: split.n_clips for split in found.splits.values()} == counts
    assert len(found.classes) == n_classes and found.n_bad_files == 0
    pcm, labels, _ = next(found.splits["testing"].batches(64, 16000, "energy", shuffle=True))
    assert pcm.shape == (64, 16000) and np.abs(pcm).max() > 3000 and len(set(labels.tolist())) > 3
