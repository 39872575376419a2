"""Checks any TFLite file against the rules of an export profile.

    python -m kws_tf.lint export/pi --profile tflm
    python -m kws_tf.lint some_other.tflite --profile features --json

Looks at sizes, shapes, types, operators and their versions, quantisation and alignment; nothing is run. Beside a manifest.json it also
checks that the file is the one that the manifest describes, and takes the profile from there unless --profile is given. Exit status
0: no rule is broken; 1: some are, or the file cannot be read.
"""

import json
import os
import pathlib

from absl import flags

from kws_tf import manifest as manifests
from kws_tf.counted import counted
from kws_tf.errors import ConfigError, ModelFileError
from kws_tf.flags import run

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "lint"}
    flags.DEFINE_enum("profile", None, manifests.PROFILES, "Rules to apply; by default those of the manifest.", **place)
    flags.DEFINE_boolean("json", False, "Print one JSON object instead of lines.", **place)


def read(path):
    """(file, bytes, Manifest or None) of a .tflite file or an export folder.

    Raises:
        ModelFileError: there is no such file, or the manifest beside it is wrong or describes other bytes.
    """
    from kws_tf.runtime import model_file

    folder, name = model_file.find(path)
    if name is None or (folder / manifests.MANIFEST_FILE).exists() and manifests.read(folder).model_file == name:
        manifest, content = model_file.read(path)
        return folder / manifest.model_file, content, manifest
    try:
        return folder / name, (folder / name).read_bytes(), None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}).") from error


def main(argv):
    if len(argv) != 2:
        raise ConfigError(f"one model is expected: a .tflite file or its export folder; received {len(argv) - 1} arguments.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    path, content, manifest = read(pathlib.Path(argv[1]))
    if FLAGS.profile is None and manifest is None:
        raise ConfigError(f"{path}: no manifest beside it; say which rules apply with --profile.")
    from kws_tf.tflite import lint
    from kws_tf.tflite.profiles import profile_of

    profile = profile_of(FLAGS.profile or manifest.profile)
    findings = lint.lint(content, profile, str(path))
    if FLAGS.json:
        print(json.dumps({"file": str(path), "profile": profile.name, "bytes": len(content), "rules": list(lint.RULES),
                          "findings": [vars(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            print(finding)
        found = f"{counted(len(findings), 'finding')}" if findings else "no rule is broken"
        print(f"{path}: {len(content)} bytes, profile {profile.name}: {found} ({len(lint.RULES)} rules: {', '.join(lint.RULES)})")
    return int(bool(findings))


if __name__ == "__main__":
    run(main, define, extra="train")
