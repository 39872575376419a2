"""Sounds are written whole or not at all."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from kws_tf.synthesis import sound_file


@pytest.mark.parametrize(("name", "subtype"), [("a.flac", "PCM_16"), ("a.wav", "FLOAT")])
def test_it_is_what_soundfile_writes(tmp_path, name, subtype):
    samples = np.random.default_rng(1).uniform(-1, 1, (3000, 2)).astype(np.float32)
    sound_file.write(tmp_path / name, samples, 16000, subtype)
    soundfile.write(tmp_path / f"other_{name}", samples, 16000, subtype)
    assert soundfile.info(tmp_path / name).subtype == subtype
    np.testing.assert_array_equal(soundfile.read(tmp_path / name)[0], soundfile.read(tmp_path / f"other_{name}")[0])


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files, which Windows cannot")
def test_the_end_is_not_lost_without_a_word(tmp_path):
    """3000 samples of noise are 6 kB, which libsndfile writes when it closes the file."""
    code = ("import resource, sys, numpy; from kws_tf.synthesis import sound_file; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
            "; sound_file.write(sys.argv[1], numpy.random.default_rng(1).integers(-9000, 9000, 3000).astype('int16'), 16000)")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.flac")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "OSError: [Errno 27]" in done.stderr
