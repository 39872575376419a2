import io
import json
import os
import pathlib
import subprocess
import sys

from rich.console import Console

from kws_tf import summary
from kws_tf.config import FeatureConfig, ModelConfig, RunConfig

ROOT = pathlib.Path(__file__).parents[1]


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "kws_tf.summary", *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120,
                          check=False, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})


def test_describes_network_and_costs():
    description = summary.describe(RunConfig(), n_classes=12, n_frames=101)
    assert description["totals"] == {"parameters": 9232, "macs": 2482156, "thop": 3633588}
    assert description["ssn_groups"] == [5, 5, 5, 5]
    assert description["model"]["tau"] == 1.0 and description["features"]["n_mels"] == 40
    assert description["layers"][0] == {"name": "stem_conv", "kind": "Conv2D", "output_shape": [101, 20, 16], "parameters": 400,
                                        "macs": 808000, "thop": 808000}
    assert json.loads(json.dumps(description)) == description


def test_table_shows_layers_totals_sub_bands_and_rules():
    config = RunConfig(model=ModelConfig(ssn_groups="0"), features=FeatureConfig(n_mels=20))
    text = io.StringIO()
    summary.print_table(summary.describe(config, n_classes=3, n_frames=50), Console(file=text, width=130))
    text = text.getvalue()
    assert "bc_resnet, 20 mels, 50 frames, 3 classes" in text
    assert "stage2_block1/frequency_conv" in text and "50 x 3 x 16" in text
    assert "--ssn_groups=0): BatchNorm, BatchNorm, BatchNorm, BatchNorm" in text
    assert "total" in text and "4 per element of an affine norm" in text


def test_table_of_mfcc():
    config = RunConfig(features=FeatureConfig(kind="mfcc", n_mfcc=13))
    text = io.StringIO()
    summary.print_table(summary.describe(config, n_classes=3, n_frames=50), Console(file=text, width=130))
    assert "bc_resnet, 13 MFCC, 50 frames" in text.getvalue() and "(--ssn_groups=auto): 1, 4, 2, 2" in text.getvalue()


def test_command_line_prints_json_with_frames_from_the_duration():
    process = run("--model", "bc_resnet", "--tau", "2", "--n_mels", "80", "--clip_duration", "1.5", "--classes", "4", "--json")
    assert process.returncode == 0, process.stderr
    description = json.loads(process.stdout)
    assert description["frames"] == 148 and description["classes"] == 4
    assert description["totals"]["parameters"] == 27284 - 8 * 64 - 8


def test_command_line_refuses_with_one_line():
    process = run("--tau=0")
    assert process.returncode == 1
    assert process.stderr == "error: model: tau must be above 0 and at most 64; received 0.0. Set --tau.\n"
