"""How long a run still takes."""

import time

from tqdm import tqdm


class TimeLeft:
    """The time to the last epoch, from the pace of the epochs since the start of this process.

    The first of them also compiles the graphs; it counts only as long as there is no other.

    Args:
        n_epochs: epochs of the whole run.
        done: epochs finished before this process.
        clock: seconds, for tests.
    """

    def __init__(self, n_epochs, done=0, clock=time.monotonic):
        self._n_epochs = n_epochs
        self._clock = clock
        self._first_ended = done + 1
        self._mark = self._after_first = (done, clock())

    def finish(self, done):
        """Says that an epoch is finished; `done` counts it."""
        if done == self._first_ended:
            self._after_first = (done, self._clock())
        elif done == self._first_ended + 1:
            self._mark = self._after_first

    def text(self, done):
        """Time left as h:mm:ss when `done` epochs are finished; parts of an epoch count."""
        begun, since = self._mark
        pace = (self._clock() - since) / max(done - begun, 1e-9)
        return tqdm.format_interval(pace * (self._n_epochs - done))
