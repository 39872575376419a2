import shutil

import numpy as np
import pytest
import soundfile

from kws_tf import evaluation, runtime
from kws_tf.audio import read_pcm
from kws_tf.config import DataConfig
from kws_tf.errors import DatasetError, ModelFileError
from kws_tf.evaluation.clip_evaluation import evaluate_model


@pytest.fixture(scope="module")
def data(tone_dataset, tmp_path_factory):
    return DataConfig(data_root=str(tone_dataset), cache_dir=str(tmp_path_factory.mktemp("cache")), audio_backend="soundfile")


@pytest.fixture(scope="module")
def report(exported, data):
    return evaluate_model(exported / "features", data, "testing", compare_with=exported / "float32", workers=3, progress=False)


def test_figures_are_those_of_the_runtime_file_by_file(exported, tone_dataset, report):
    model = runtime.load_model(exported / "features")
    expected = np.zeros((3, 3), int)
    for true, name in enumerate(model.labels):
        for path in sorted((tone_dataset / "testing" / name).iterdir()):
            expected[true, int(np.argmax(model.logits(read_pcm(path, 16000))))] += 1
    assert report["confusion"] == expected.tolist()
    assert report["clips"] == 18 and report["correct"] == np.trace(expected) > 10
    assert report["model"]["model_id"] == model.manifest.model_id
    assert (report["split"], report["bad_files_left_out"], report["classes_without_clips"]) == ("testing", 0, [])


def test_comparison_with_the_float_model(exported, data, report):
    alone = evaluate_model(exported / "float32", data, "testing", progress=False)
    assert "comparison" not in alone
    assert report["other"]["confusion"] == alone["confusion"]
    change = 100 * (report["accuracy"] - alone["accuracy"])
    assert report["comparison"]["accuracy_change_points"] == pytest.approx(change)
    assert report["comparison"]["argmax_disagreements"] <= 2
    assert 15 < report["comparison"]["signal_to_noise_db"] < 60


def test_an_absent_split(exported, data):
    with pytest.raises(DatasetError, match="validation: the folder of this split is missing"):
        evaluate_model(exported / "features", data, "validation", progress=False)


def test_a_class_that_the_model_does_not_know(exported, tone_dataset, tmp_path):
    root = shutil.copytree(tone_dataset, tmp_path / "root")
    (root / "testing" / "shrill").mkdir()
    soundfile.write(root / "testing" / "shrill" / "a.wav", np.random.default_rng(1).uniform(-0.5, 0.5, 8000), 16000)
    with pytest.raises(DatasetError, match="shrill"):
        evaluate_model(exported / "features", DataConfig(data_root=str(root), cache_dir=str(tmp_path), audio_backend="soundfile"),
                       progress=False)


def test_a_class_without_clips_is_stated(exported, tone_dataset, tmp_path):
    root = shutil.copytree(tone_dataset, tmp_path / "root")
    shutil.rmtree(root / "testing" / "low")
    found = evaluate_model(exported / "features", DataConfig(data_root=str(root), cache_dir=str(tmp_path), audio_backend="soundfile"),
                           progress=False)
    assert found["classes_without_clips"] == ["low"] and found["clips"] == 12
    assert found["labels"] == ["high", "low", "middle"] and found["classes"][1]["recall"] is None


def test_models_that_cannot_be_compared(exported, data, tmp_path):
    other = shutil.copytree(exported / "float32", tmp_path / "other")
    text = (other / "manifest.json").read_text().replace('"middle"', '"medium"')
    (other / "manifest.json").write_text(text)
    with pytest.raises(DatasetError, match="cannot be compared.*high, low, medium at 16000 Hz against high, low, middle at 16000 Hz"):
        evaluate_model(exported / "features", data, compare_with=other, progress=False)
    (other / "model.tflite").write_bytes(b"cut")
    with pytest.raises(ModelFileError, match="truncated"):
        evaluate_model(exported / "features", data, compare_with=other, progress=False)


def test_the_picture(report, tmp_path):
    from matplotlib import image

    evaluation.draw_confusion(report, tmp_path / "confusion.png")
    pixels = image.imread(tmp_path / "confusion.png")
    assert pixels.shape[0] > 300 and pixels.shape[1] > 300
    # Darker than half: text and the well-filled cells of the diagonal.
    assert 0.01 < (pixels[..., :3].mean(axis=-1) < 0.5).mean() < 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["confusion.png"]
