"""Programs that follow on one another: which are done, which are done again, and which training goes on."""

import hashlib
import json
import pathlib
import sys

from absl import logging

from kws_tf import atomic_file, program
from kws_tf.errors import ConfigError

HINT = "When that is mended, start again: it goes on there."


class Chain:
    """Runs programs of the package one after the other and remembers in a file which are done.

    A step is what its command and its inputs are, those of all steps before it, and the trainings before it as they lie there. So a
    step that changes makes all later ones change, and a step that fails takes nothing from what was done before with another command.

    Args:
        state_file: what is remembered; its folder exists. dry_run: only print the commands.

    Raises:
        ConfigError: what was remembered cannot be read.
    """

    def __init__(self, state_file, dry_run=False):
        self._file, self._dry_run = pathlib.Path(state_file), dry_run
        self._before = hashlib.sha256()
        self._done, self._begun, self._passed = {}, {}, set()
        try:
            state = json.loads(self._file.read_text(encoding="utf-8"))
            # done: [digest, training as it lies there]; begun: pairs of digest and what lay there before it.
            self._done = {name: tuple(step) for name, step in state["steps_done"].items()}
            self._begun = {name: [tuple(start) for start in starts] for name, starts in state["trainings_begun"].items()}
        except FileNotFoundError:
            logging.info("%s: nothing is done yet.", self._file)
        except KeyError as error:
            raise ConfigError(f"{self._file}: written by another version. Delete it to run every step again, trainings from their first "
                              "epoch, or choose another --output.") from error
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ConfigError(f"{self._file}: cannot be read ({error}). Delete it to run every step again.") from error

    def step(self, name, module, *arguments, inputs=(), run_dir=None, prepare=None, makes=None):
        """Runs `python -m module arguments`, unless that was done.

        Where the result of a step is gone, it is done again, and so are all later steps but trainings: they may have written into it, and
        trainings were made from the same.

        Args:
            name: of the step, unique. module: program. arguments: its flags.
            inputs: texts that change with what the program reads from elsewhere than the steps before, such as `found_in`.
            run_dir: run folder of a training, which goes on there if what lies there was begun by this very step, and replaces it
                otherwise.
            prepare: called before the program, unless a training goes on.
            makes: path of the result, where one tells that it is there; None for a training, whose run folder tells.

        Raises:
            KwsError: the program failed.
        """
        command = [str(argument) for argument in (module, *arguments)]
        self._before.update(json.dumps([command, *inputs]).encode())
        digest = self._before.hexdigest()
        if name in self._done and makes is not None and not makes.exists():
            self._done = {other: step for other, step in self._done.items() if other in self._passed or step[1]}
        self._passed.add(name)
        if self._done.get(name) == (digest, _written(run_dir)):
            sys.stdout.write(f"\n== {name}: done\n")
            sys.stdout.flush()
        else:
            goes_on = run_dir is not None and self._begin(name, digest, _written(run_dir))
            if run_dir is not None:
                command += ["--run_dir", str(run_dir), "--resume" if goes_on else "--overwrite"]
            else:
                self._done.pop(name, None)  # half of it may be done anew when it is killed
            if not self._dry_run:
                self._remember()
                if prepare and not goes_on:
                    prepare()
            program.run(*command, title=name, hint=HINT, dry_run=self._dry_run)
            self._done[name] = digest, _written(run_dir)
            if not self._dry_run:
                self._remember()
        self._before.update(str(_written(run_dir)).encode())

    def _begin(self, name, digest, written):
        """Whether what lies in a run folder was begun by this step; notes that it begins now if not."""
        # Who found there what lies there still has written nothing: its command failed, or was killed, before it came to that.
        writers = [start for start in self._begun.get(name, ()) if start[1] != written][-1:]
        goes_on = bool(written and writers and writers[0][0] == digest)
        self._begun[name] = writers if goes_on else [*writers, (digest, written)]
        return goes_on

    def _remember(self):
        atomic_file.write_text(self._file, json.dumps({"trainings_begun": self._begun, "steps_done": self._done}, indent=1) + "\n")


def _written(run_dir):
    """When a training last wrote its configuration, ns; 0 for none."""
    try:
        return (run_dir / "config.json").stat().st_mtime_ns if run_dir is not None else 0
    except FileNotFoundError:
        return 0
