"""Noise for augmentation comes from the right folder and the right part of each recording."""

import numpy as np
import pytest

from kws_tf import dataset
from kws_tf.errors import DatasetError


@pytest.fixture
def load_noise(folder, tmp_path):
    def load_now(**settings):
        return dataset.load_noise(str(folder.root), 16000, cache_dir=str(tmp_path / "cache"), audio_backend="soundfile", progress=False,
                                  **settings)
    return load_now


def test_recordings_at_any_depth_come_in_the_order_of_their_paths(folder, load_noise, log):
    b, a = folder.clip("b.wav", 4000), folder.clip("a/deep/x.wav", 2000)
    found = load_noise()
    assert [recording.dtype for recording in found] == [np.int16] * 2
    np.testing.assert_array_equal(found[0], a)
    np.testing.assert_array_equal(found[1], b)
    assert "Noise: 2 recordings, 0.4 s (the first 100 % of each)." in log()


def test_of_a_folder_with_splits_only_training_is_used(folder, load_noise, log):
    folder.clip("testing/t.wav")
    pcm = folder.clip("training/n.wav")
    (found,) = load_noise()
    np.testing.assert_array_equal(found, pcm)
    assert any("only the subfolder training" in line for line in log())


@pytest.mark.parametrize("fraction, n_samples", [(1.0, 1000), (0.7, 700), (1e-9, 1)])
def test_a_fraction_keeps_the_first_part(folder, load_noise, fraction, n_samples):
    pcm = folder.clip("n.wav", 1000)
    (found,) = load_noise(fraction=fraction)
    np.testing.assert_array_equal(found, pcm[:n_samples])


def test_noise_is_decoded_once(folder, load_noise, log):
    folder.clip("n.wav")
    load_noise()
    load_noise(fraction=0.5)
    assert sum("unchanged, from the cache" in line for line in log()) == 1


def test_bad_files_are_refused_or_left_out(folder, load_noise):
    pcm = folder.clip("n.wav")
    (folder.root / "text.wav").write_text("x")
    with pytest.raises(DatasetError, match=r"--noise_dir=.*1 unusable file.*--allow_bad_files[\s\S]*text.wav: not a recording"):
        load_noise()
    (found,) = load_noise(allow_bad_files=True)
    np.testing.assert_array_equal(found, pcm)


def test_a_missing_or_useless_folder_is_named(folder, load_noise):
    with pytest.raises(DatasetError, match="--noise_dir=.*no such folder"):
        load_noise()
    folder.root.mkdir()
    with pytest.raises(DatasetError, match="holds no recording"):
        load_noise()
    folder.clip("zeros.wav", pcm=np.zeros(500, np.int16))
    with pytest.raises(DatasetError, match="digital silence"):
        load_noise()
