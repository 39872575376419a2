"""Curriculum: what augmentation and sampling do in which epochs."""

import dataclasses
import json
import math

import numpy as np

from kws_tf.errors import ConfigError

# Numbers between 0 and 1, or low and high in dB; each replaces the field of AugmentConfig of this name.
_SHARES, _RANGES = ("rir_prob", "noise_prob"), ("noise_snr_db",)
_FIELDS = {"from_epoch", "sampling", *_SHARES, *_RANGES}
_EXAMPLE = '[{"from_epoch": 1, "rir_prob": 0}, {"from_epoch": 20, "rir_prob": 0.5, "noise_snr_db": [-5, 30], "sampling": {"_unknown_": 2}}]'


@dataclasses.dataclass(frozen=True)
class Stage:
    """What holds from an epoch on; whatever a stage does not name stays as before it.

    Args:
        from_epoch: from 1.
        sampling: class -> weight; how often a clip of it is drawn, relative to 1 for the classes that are not named. Empty draws every
            clip once an epoch.
        rir_prob, noise_prob, noise_snr_db: as in AugmentConfig.
    """

    from_epoch: int
    sampling: dict
    rir_prob: float
    noise_prob: float
    noise_snr_db: tuple[float, ...]


class Curriculum:
    """Stages of a run, from JSON: a list of objects with from_epoch, in rising order, and the fields of Stage that change.

    Args:
        text: JSON; "" for one stage that is the configuration itself.
        augment: AugmentConfig that the first stage starts from.
        classes: names of the classes.

    Raises:
        ConfigError: not JSON, an unknown field or class, a value out of range, or a change of what the configuration switches off.

    Example:
        [{"from_epoch": 1, "rir_prob": 0, "noise_snr_db": [10, 30]},
         {"from_epoch": 15, "rir_prob": 0.5, "noise_snr_db": [-5, 30], "sampling": {"_unknown_": 2}}]
    """

    def __init__(self, text, augment, classes):
        self.classes = tuple(classes)
        current = {"sampling": {}, **{name: getattr(augment, name) for name in (*_SHARES, *_RANGES)}}
        self.stages = [Stage(1, **current)]
        for changes in _rows(text):
            self._check(changes, augment)
            current |= {name: tuple(map(float, value)) if name in _RANGES else value for name, value in changes.items()}
            self.stages.append(Stage(**current))
        starts = [stage.from_epoch for stage in self.stages[1:]]
        if starts != sorted(set(starts)):
            raise _error(f"from_epoch must rise from stage to stage; received {starts}")

    def at(self, epoch):
        """The Stage of an epoch, counted from 0."""
        return [stage for stage in self.stages if stage.from_epoch <= epoch + 1][-1]

    def clip_weights(self, labels, epoch):
        """Weight of every clip in the draw of an epoch, float64 [clips]; None to take every clip once.

        Args:
            labels: int [clips]. epoch: from 0.
        """
        sampling = self.at(epoch).sampling
        return np.array([float(sampling.get(name, 1)) for name in self.classes])[labels] if sampling else None

    def _check(self, changes, augment):
        unknown = sorted(set(changes) - _FIELDS)
        if unknown or not isinstance(changes.get("from_epoch"), int) or changes["from_epoch"] < 1:
            raise _error(f"expected from_epoch of 1 or more and fields of {', '.join(sorted(_FIELDS))}; received {json.dumps(changes)}")
        for name in _SHARES:
            if name in changes and not (_is_number(changes[name]) and 0 <= changes[name] <= 1):
                raise _error(f"{name} must be a number from 0 to 1; received {json.dumps(changes[name])}")
        for name in _RANGES:
            ends = changes.get(name, [0, 0])
            if not (isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, ends)) and ends[0] <= ends[1]):
                raise _error(f"{name} must be two numbers, [low, high]; received {json.dumps(ends)}")
        sampling = changes.get("sampling", {})
        if not isinstance(sampling, dict) or not all(_is_number(weight) and weight >= 0 for weight in sampling.values()):
            raise _error(f"sampling must map classes to weights of 0 or more; received {json.dumps(sampling)}")
        strangers = sorted(set(sampling) - set(self.classes))
        if strangers:
            raise _error(f"sampling names {', '.join(strangers)}; the classes are {', '.join(self.classes)}")
        if sampling and not any(sampling.get(name, 1) for name in self.classes):
            raise _error("sampling gives every class the weight 0")
        for name, needed in (("rir_prob", "rir_dir"), ("noise_prob", "noise_dir")):
            if changes.get(name) and not getattr(augment, needed):
                raise _error(f"{name}={changes[name]:g} needs --{needed}")
        if "noise_snr_db" in changes and augment.noise_mode != "snr":
            raise _error("noise_snr_db needs --noise_mode=snr")


def _rows(text):
    try:
        rows = json.loads(text) if text else []
    except ValueError as error:
        raise _error(f"not JSON ({error})") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _error("expected a list of stages")
    return rows


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _error(what):
    return ConfigError(f"--curriculum: {what}. Example: {_EXAMPLE}.")
