"""Configuration: validation with a named fix, JSON round trip, derived numbers."""

import dataclasses

import pytest

from kws_tf import config
from kws_tf.errors import ConfigError


def test_round_trip_through_json_types():
    run = config.RunConfig(
        data=config.DataConfig(clip_duration=1.5),
        augment=config.AugmentConfig(noise_snr_db=(0.0, 12.5)),
        model=config.ModelConfig(tau=2.0, ssn_groups="0"),
    )
    assert config.from_dict(config.RunConfig, config.to_dict(run)) == run


def test_unknown_field_is_named():
    values = config.to_dict(config.TrainConfig()) | {"learning_rate": 0.1}
    with pytest.raises(ConfigError, match="unknown field learning_rate; known are batch_size, lr"):
        config.from_dict(config.TrainConfig, values)


@pytest.mark.parametrize("cls, values, message", [
    (config.TrainConfig, {"epochs": 2.5}, "TrainConfig.epochs must be int; received 2.5"),
    (config.FeatureConfig, {"low_hz": "0"}, "FeatureConfig.low_hz must be float; received '0'"),
    (config.DataConfig, {"allow_bad_files": 1}, "DataConfig.allow_bad_files must be bool"),
    (config.RunConfig, {"features": {"hop_samples": 160.0}}, r"RunConfig.features.hop_samples must be int; received 160\.0"),
    (config.RunConfig, {"augment": {"gain_db": [-20, "6"]}}, r"RunConfig.augment.gain_db\[1\] must be float; received '6'"),
    (config.RunConfig, {"train": []}, "RunConfig.train must be an object"),
    (config.RunConfig, {"train": {"lr": -1.0}}, "RunConfig.train: training: lr must be above 0"),
    (config.RunConfig, {"train": {"lr": 10**400}}, "RunConfig.train.lr is out of range; received a number of 1329 bits"),
    (config.RunConfig, {"features": {"sample_rate": -10**30}}, "RunConfig.features.sample_rate is out of range"),
])
def test_a_value_of_another_type_is_refused_by_its_place(cls, values, message):
    with pytest.raises(ConfigError, match=message):
        config.from_dict(cls, values)


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (config.ModelConfig, {"tau": 0}, r"tau must be above 0 and at most 64; received 0\. Set --tau"),
        (config.ModelConfig, {"tau": 0.1}, "gives no channel"),
        (config.ModelConfig, {"ssn_groups": "five"}, "ssn_groups must be 'auto', 0 or a positive number"),
        (config.ModelConfig, {"ssn_groups": "²"}, "ssn_groups must be 'auto', 0 or a positive number"),
        (config.TrainConfig, {"epochs": 10**400}, "epochs must be at least"),
        (config.ModelConfig, {"dropout": 1.0}, "below 1; received 1.0. Set --dropout"),
        (config.ModelConfig, {"channels": -1}, "channels must be at least 0 and at most 4096; received -1. Set --channels"),
        (config.ModelConfig, {"padding": "mixed"}, r"--padding=mixed needs --lookahead_stages of 1 to 4"),
        (config.ModelConfig, {"lookahead_stages": 2}, "padding='causal' and lookahead_stages=2 contradict each other"),
        (config.ModelConfig, {"padding": "mixed", "lookahead_stages": 5}, "lookahead_stages must be at least 0 and at most 4; received 5"),
        (config.ModelConfig, {"gate": "firm"}, "gate must be one of 'soft', 'hard'; received 'firm'"),
        (config.ModelConfig, {"gate_penalty": -0.01}, "gate_penalty must be at least 0; received -0.01"),
        (config.TrainConfig, {"schedule": "parabola"}, "schedule must be one of 'cosine', 'hold_polynomial', 'plateau', 'constant'"),
        (config.TrainConfig, {"lr": float("nan")}, "lr must be above 0; received nan"),
        (config.TrainConfig, {"batch_size": True}, "batch_size must be at least 1; received True"),
        (config.TrainConfig, {"monitor": "f1"}, "monitor must be one of"),
        (config.FeatureConfig, {"kind": "mfcc"}, "n_mfcc must be between 1 and n_mels=40"),
        (config.FeatureConfig, {"n_mfcc": 13}, "kind is 'logmel'"),
        (config.FeatureConfig, {"kind": "micro", "n_mfcc": 13}, "kind is 'micro'"),
        (config.TrainConfig, {"seed": -1}, "seed must be at least 0"),
        (config.FeatureConfig, {"sample_rate": 8000}, "sample_rate/2 = 4000 Hz"),
        (config.FeatureConfig, {"window_samples": 640}, "fft_size must be at least window_samples=640; received 512"),
        (config.AugmentConfig, {"noise_snr_db": (10.0, 0.0)}, "low <= high"),
        (config.AugmentConfig, {"noise_amplitude": (-0.1, 0.1)}, "low >= 0"),
        (config.DataConfig, {"clip_duration": 0}, "clip_duration must be above 0"),
    ],
)
def test_bad_values_are_refused_with_a_fix(cls, values, message):
    with pytest.raises(ConfigError, match=message):
        cls(**values)


def test_clip_shorter_than_a_window_is_refused():
    with pytest.raises(ConfigError, match="shorter than one feature window of 0.03 s"):
        config.RunConfig(data=config.DataConfig(clip_duration=0.02))


def test_frames_are_counted_without_centring():
    features = config.FeatureConfig()
    assert [features.n_frames(n) for n in (0, 479, 480, 639, 640, 16000)] == [0, 0, 1, 1, 2, 98]
    assert features.hop_ms == 10.0


def test_presets_are_valid_and_frozen():
    assert config.FEATURE_PRESETS["sparknet"].n_features == 32
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.FEATURE_PRESETS["bc_resnet"].n_mels = 80
