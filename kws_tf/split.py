"""Deals a folder of clips to training, validation and testing, without leaks: whole speakers, equal sounds together.

    python -m kws_tf.split --input DIR --output NEW --dry_run
    python -m kws_tf.split --input DIR --output NEW --shares 0.8,0.1,0.1 --speaker_pattern "^(\\w+?)_"
    python -m kws_tf.split --input DIR --output NEW --by cluster --link

DIR holds <class>/**; folders training, validation and testing in it are taken as one set and dealt again. NEW gets
{training,validation,testing}/<class>/<path>, copies or links, and split.csv with the group of every clip. Nothing in DIR is changed.
"""

import collections
import csv
import io
import os
import pathlib
import shutil

from absl import flags

from kws_tf import atomic_file, worker_pool
from kws_tf.config import SPLITS
from kws_tf.counted import counted
from kws_tf.errors import ConfigError, DatasetError
from kws_tf.flags import define_numbers, refuse_arguments, run

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "split"}
    flags.DEFINE_string("input", "", "Folder with <class>/**.", **place)
    flags.DEFINE_string("output", "", "Folder to make.", **place)
    define_numbers("shares", (0.8, 0.1, 0.1), "Shares of training,validation,testing; sum 1.", **place)
    flags.DEFINE_enum("by", "speaker", ["speaker", "file", "cluster"], "What stays together: clips of a speaker, each file alone, or clips "
                      "that sound alike (for recordings without names of speakers).", **place)
    flags.DEFINE_string("speaker_pattern", "", "Regular expression that finds the speaker in the path below the class (its first group); "
                        "empty for <speaker>_nohash_* and for a folder per speaker.", **place)
    flags.DEFINE_integer("clusters", 50, "With --by=cluster: at most so many.", lower_bound=2, **place)
    flags.DEFINE_boolean("stable", False, "Deal by the hash of the group's name: clips added later move no other, but where one has the "
                         "sound of another group; shares hold on average. Not with --by=cluster.", **place)
    flags.DEFINE_boolean("link", False, "Link to the originals instead of copying them.", **place)
    flags.DEFINE_integer("seed", 1, "Of the deal.", lower_bound=0, **place)
    flags.DEFINE_integer("workers", 0, "Processes; 0 for one per processor.", lower_bound=0, **place)
    flags.DEFINE_boolean("dry_run", False, "Say what would be done, and do nothing.", **place)


def find_items(root, by, speaker_pattern="", n_clusters=50, seed=1, n_workers=1):
    """The clips of a folder and their groups, equal sounds joined.

    Returns:
        List of curation.partition.Item.

    Raises:
        DatasetError: a clip cannot be read, or has no speaker; all are listed.
    """
    from kws_tf.curation import labelled_clips, partition
    from kws_tf.curation.clip_facts import measure_all
    from kws_tf.dataset.scan import subfolders
    from kws_tf.dataset.speaker_name import SpeakerName

    speaker_name = SpeakerName(speaker_pattern)
    if not os.path.isdir(root):
        raise DatasetError(f"--input={root}: there is no such folder.")
    clips, problems = labelled_clips.find(root, speaker_name)
    if not clips:
        raise DatasetError(f"--input={root}: expected <class>/<clip>; found {', '.join(subfolders(root)) or 'no folder'}.")
    facts = measure_all(root, clips, n_workers=n_workers)
    problems += [f"{fact.path}: {fact.problem}" for fact in facts if fact.problem]
    if by == "speaker":
        problems += [f"{fact.path}: no speaker in its name or folder" for fact in facts if not fact.speaker]
    if problems:
        raise DatasetError(f"--input={root}: {counted(len(problems), 'problem')}. Mend or remove the files; name speakers by "
                           "--speaker_pattern, or use --by=file or --by=cluster.", problems)
    groups = {"speaker": lambda: [fact.speaker for fact in facts], "file": lambda: [fact.content for fact in facts],
              "cluster": lambda: partition.by_cluster(_features(facts), n_clusters, seed)}[by]()
    items = [partition.Item(fact.path, fact.label, group) for fact, group in zip(facts, groups, strict=True)]
    return partition.join_equal(items, [fact.path if fact.silent else fact.sound for fact in facts])


def _features(facts):
    import numpy as np

    return np.stack([fact.features for fact in facts])


def place_clips(output, items, dealt):
    """Where each clip goes.

    Args:
        output: folder to make. items: list of Item. dealt: dict of group to split.

    Returns:
        List of paths below `output`, one for each item.

    Raises:
        DatasetError: the folder exists, or two clips would get one name.
    """
    if os.path.lexists(output):
        raise DatasetError(f"--output={output}: exists already. Delete it, or choose another folder.")
    taken = {}
    for item in items:
        parts = item.path.split("/")
        target = "/".join([dealt[item.group], *(parts[1:] if parts[0] in SPLITS else parts)])
        if target in taken:
            raise DatasetError(f"split: {taken[target]} and {item.path} would both become {target}. Rename one of them.")
        taken[target] = item.path
    return list(taken)


def write(root, output, items, targets, link):
    """Writes the dealt clips; the folder appears when it is complete, or not at all.

    Args:
        root: source folder. output: folder to make. items: list of Item. targets: paths of `place_clips`. link: link instead of copying.

    Raises:
        DatasetError: the folder cannot be made.
    """
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("file", "group", "source"))
    rows.writerows((target, item.group, item.path) for target, item in zip(targets, items, strict=True))
    try:
        with atomic_file.new_folder(output) as partial:
            for target, item in zip(targets, items, strict=True):
                place, source = partial / target, pathlib.Path(root, item.path).resolve()
                place.parent.mkdir(parents=True, exist_ok=True)
                if link:
                    place.symlink_to(source)
                else:
                    shutil.copy2(source, place)
            atomic_file.write_text(partial / "split.csv", table.getvalue())
    except OSError as error:
        raise DatasetError(f"--output={output}: cannot be made: {error.strerror}.") from error


def describe(items, dealt):
    """Prints clips per class and groups of every split."""
    counts = collections.Counter((dealt[item.group], item.label) for item in items)
    for split in SPLITS:
        labels = ", ".join(f"{label} {counts[split, label]}" for label in sorted({item.label for item in items}))
        n_groups = sum(own == split for own in dealt.values())
        n_clips = sum(n for (own, _), n in counts.items() if own == split)
        print(f"{split:10}  {counted(n_clips, 'clip')} of {counted(n_groups, 'group')}: {labels}")


def main(argv):
    refuse_arguments(argv)
    if not FLAGS.input or not FLAGS.output:
        raise ConfigError("--input and --output are needed: the folder with <class>/** and the folder to make.")
    if FLAGS.speaker_pattern and FLAGS.by != "speaker":
        raise ConfigError(f"--speaker_pattern belongs to --by=speaker, but --by={FLAGS.by} is given; remove one.")
    if FLAGS.stable and FLAGS.by == "cluster":
        raise ConfigError("--stable: with --by=cluster every added clip makes other groups; use --by=speaker or --by=file, or none.")
    from kws_tf.curation import partition

    if len(FLAGS.shares) != len(SPLITS):
        raise ConfigError(f"--shares={','.join(map(str, FLAGS.shares))}: expected three numbers, such as 0.8,0.1,0.1.")
    shares = dict(zip(SPLITS, FLAGS.shares, strict=True))
    items = find_items(FLAGS.input, FLAGS.by, FLAGS.speaker_pattern, FLAGS.clusters, FLAGS.seed, FLAGS.workers or worker_pool.processors())
    dealt = (partition.deal_by_hash if FLAGS.stable else partition.deal_balanced)(items, shares, FLAGS.seed)
    describe(items, dealt)
    targets = place_clips(FLAGS.output, items, dealt)
    if not FLAGS.dry_run:
        write(FLAGS.input, FLAGS.output, items, targets, FLAGS.link)
        print(f"{FLAGS.output}: {'links to' if FLAGS.link else 'copies of'} {counted(len(items), 'clip')}. Examine it:\n"
              f"  python -m kws_tf.doctor {FLAGS.output}")


if __name__ == "__main__":
    run(main, define)
