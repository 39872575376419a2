import os
import subprocess
import sys

import numpy as np
import soundfile


def test_names_that_are_no_text_are_reported(tmp_path):
    for split in ("training", "validation"):
        for label in ("no", "yes"):
            folder = tmp_path / "clips" / split / label
            folder.mkdir(parents=True)
            for i in range(2):
                pcm = np.random.default_rng([len(split), len(label), i]).normal(0, 1000, 16000).astype(np.int16)
                soundfile.write(folder / f"{i}.wav", pcm, 16000)
    os.rename(folder / "1.wav", os.fsencode(folder) + b"/1\xff.wav")
    page = tmp_path / "page.html"
    command = [sys.executable, "-m", "kws_tf.doctor", tmp_path / "clips", "--html", page, "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert "Traceback" not in done.stderr, done.stderr
    assert "1\\udcff.wav" in done.stdout and "1\\udcff.wav" in page.read_text(encoding="utf-8")
