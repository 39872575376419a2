import pathlib
import subprocess
import sys

import pytest

from kws_tf import manifest as manifests
from kws_tf.runtime import load_model
from tools import ship_model

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.usefixtures("convert_once", "train_and_convert_here")
def test_a_model_with_its_card_and_no_path_of_the_machine(run_program, run_dir, data_root, small_network, tmp_path):
    about = tmp_path / "about.md"
    about.write_text("Low and high tones, of no use but for tests.\n")
    assert not run_program(ship_model, "--run_dir", run_dir, "--name=tones", "--about", about, "--data_licence=none at all", "--models_dir",
                           tmp_path / "models", "--test_ambient", data_root / "testing", "--before=python make_tones.py")
    folder = tmp_path / "models" / "tones"
    assert sorted(path.name for path in folder.iterdir()) == ["clip", "model_card.md", "report.html", "streaming"]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tones"]
    card = (folder / "model_card.md").read_text()
    assert card.startswith("# tones\n\nLow and high tones, of no use but for tests.\n\n## Figures\n")
    assert "| `tones/clip` | one clip |" in card and "| `tones/streaming` | 20 ms |" in card and "18 testing clips" in card
    assert "none at all" in card and "```\npython make_tones.py\npython -m kws_tf.train --data_root=TONES" in card
    assert "without the keywords: " in card and "95 % confidence" in card
    for path in folder.rglob("*"):
        if path.suffix in (".md", ".json", ".html"):
            assert str(data_root.parent) not in path.read_text() and str(tmp_path) not in path.read_text(), path
    assert "<audio" not in (folder / "report.html").read_text()
    manifest = manifests.read(folder / "clip")
    testing = manifest.metrics["testing"]
    assert testing["clips"] == 18 and f"{100 * testing['accuracy']:.1f} %" in card and manifest.profile == "tflm"
    assert manifests.read(folder / "streaming").metrics["testing"]["clips"] == 18
    assert manifest.labels == tuple(small_network.classes) and load_model(folder / "clip").labels == manifest.labels


def test_what_is_missing_is_told_and_nothing_is_made(run_dir, tmp_path):
    for given, expected in ((("--name=tones",), "--about is missing"), (("--name=a/b", "--about=x"), "letters, digits and _ alone"),
                            (("--name=a", "--about=none.md"), "none.md: there is no such file"),
                            (("--name=a", "--about=x", "--ambient=x"), "give both or none")):
        made = subprocess.run([sys.executable, ROOT / "tools" / "ship_model.py", "--run_dir", run_dir, "--data_licence=none",
                               "--models_dir", tmp_path / "models", *given], capture_output=True, text=True, check=False)
        assert made.returncode == 1 and expected in made.stderr, made.stderr
    assert not (tmp_path / "models").exists()
