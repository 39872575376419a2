"""What would keep a training from beginning is found without clips; its real process is worker_pool's, see tests/test_worker_pool.py."""

import dataclasses
import json
import subprocess
import sys

import pytest
from absl import logging

from kws_tf.config import AugmentConfig, ModelConfig, RunConfig, TrainConfig
from kws_tf.errors import ConfigError
from kws_tf.training import rehearsal

SMALL = ModelConfig(model="sparknet", channels=4)


def test_a_training_that_can_begin_needs_no_folder_of_it():
    curriculum = json.dumps([{"from_epoch": 1, "rir_prob": 0.5, "noise_prob": 0.5, "sampling": {"b": 2}}])
    verbosity = logging.get_verbosity()
    rehearsal.rehearse(RunConfig(model=SMALL, augment=AugmentConfig(noise_dir="none", rir_dir="none", curriculum=curriculum)), ["a", "b"])
    assert logging.get_verbosity() == verbosity


@pytest.mark.parametrize(("changes", "message"), [
    ({"train": TrainConfig(epochs=3, warmup_epochs=3)}, "warm-up"), ({"model": dataclasses.replace(SMALL, tau=2.0)}, "no use for --tau=2"),
    ({"augment": AugmentConfig(curriculum='[{"from_epoch": 1, "sampling": {"c": 2}}]')}, "sampling names c; the classes are a, b"),
    ({"augment": AugmentConfig(frequency_mask_rows=50)}, "do not fit features of 40"),
    ({"augment": AugmentConfig(shift_ms=1000.0)}, "out of sight"),
])
def test_one_that_cannot_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        rehearsal.rehearse(RunConfig(**{"model": SMALL, **changes}), ["a", "b"])


def test_who_hands_it_to_another_process_does_not_load_keras():
    code = "import sys, kws_tf.training.rehearsal; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
