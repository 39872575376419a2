"""The learning rate of every step: linear warm-up, then half a cosine, a hold and a parabola, falls on a plateau, or a constant."""

import math

from kws_tf.errors import ConfigError

# The published recipe of SparkNet: PolynomialHoldDecayAnnealing of NeMo with these figures.
HOLD_END = 0.45
FINAL_SHARE = 1e-4


class Schedule:
    """Learning rate as a function of the step, and for "plateau" of how often the validation metric has stood still.

        warm-up:         lr * i / warmup_steps
        cosine:          lr / 2 * (1 + cos(pi * (i - warmup_steps) / (total_steps - warmup_steps)))
        hold_polynomial: lr * (1e-4 + (1 - 1e-4) * min(1, (total_steps - i) / (total_steps - hold_steps))^2)
        plateau:         lr * plateau_factor^falls
        constant:        lr

    i counts from 1, as in the code of BC-ResNet's authors: the first step already moves and the last step of "cosine" has rate 0.
    hold_steps is 45 % of all steps, or the warm-up if that is longer.

    Args:
        train: TrainConfig.
        steps_per_epoch: optimiser steps of one epoch.

    Raises:
        ConfigError: the warm-up does not end before the last epoch.
    """

    def __init__(self, train, steps_per_epoch):
        if train.warmup_epochs >= train.epochs:
            raise ConfigError(f"training: a warm-up of {train.warmup_epochs:g} epochs does not end within {train.epochs} epochs; "
                              "lower --warmup_epochs (0 for none) or raise --epochs.")
        self.kind = train.schedule
        self.peak = train.lr
        self.plateau_epochs = train.plateau_epochs
        self.plateau_factor = train.plateau_factor
        self.warmup_steps = round(train.warmup_epochs * steps_per_epoch)
        self.total_steps = train.epochs * steps_per_epoch
        self.hold_steps = max(self.warmup_steps, round(HOLD_END * self.total_steps))

    def rate(self, step, falls=0):
        """Learning rate of a step.

        Args:
            step: optimiser steps made before this one, from 0.
            falls: falls so far; used by "plateau" alone.
        """
        i = step + 1
        if i < self.warmup_steps:
            return self.peak * i / self.warmup_steps
        if self.kind == "cosine":
            return self.peak / 2 * (1 + math.cos(math.pi * (i - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)))
        if self.kind == "hold_polynomial":
            left = min(1.0, (self.total_steps - i) / max(1, self.total_steps - self.hold_steps))
            return self.peak * (FINAL_SHARE + (1 - FINAL_SHARE) * left**2)
        return self.peak * self.plateau_factor ** falls if self.kind == "plateau" else self.peak

    def falls_after(self, stale_epochs):
        """Whether "plateau" falls now: every plateau_epochs epochs in a row without a better monitor."""
        return self.kind == "plateau" and stale_epochs > 0 and stale_epochs % self.plateau_epochs == 0
