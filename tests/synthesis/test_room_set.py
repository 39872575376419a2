"""Drawn rooms obey their ranges; responses have their physics; the program's folder is one that training reads."""

import json

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import dataset, rooms
from kws_tf.errors import ConfigError, DatasetError
from kws_tf.synthesis import room_set
from kws_tf.synthesis.room_set import Room, RoomConfig

SETTINGS = RoomConfig(rooms=40)
RATE = 16000


def test_rooms_obey_their_ranges():
    rng = np.random.default_rng(2)
    for _ in range(60):
        room = room_set.draw(SETTINGS, rng)
        assert all(3 <= side <= 8 for side in room.size[:2]) and 2.3 <= room.size[2] <= 3.2
        assert 0.2 <= room.rt60_s <= 0.6
        assert 0.499 <= room.voice_m <= 4.001 and 0.499 <= room.noise_m <= 6.001
        for point in (room.microphone, room.voice, room.noise):
            assert all(0.29 <= place <= side - 0.29 for place, side in zip(point[:2], room.size[:2], strict=True)) and 0 < point[2] < 2.1


def test_impossible_rooms_are_refused():
    with pytest.raises(ConfigError, match="no room of these sizes holds"):
        room_set.draw(RoomConfig(side_m=(2.0, 2.0), voice_m=(5.0, 6.0)), np.random.default_rng(1))
    with pytest.raises(ConfigError, match="Set --rt60_s"):
        RoomConfig(rt60_s=(0.5, 0.2))
    with pytest.raises(ConfigError, match="at least one room"):
        RoomConfig(rooms=0)


def decay_s(response):
    """Reverberation time by the slope of the energy that is yet to come, from -5 to -25 dB (ISO 3382)."""
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0])
    start, end = np.argmax(level < -5), np.argmax(level < -25)
    return 60 / 20 * (end - start) / RATE


@pytest.fixture(scope="module")
def pair():
    pytest.importorskip("rir_generator", reason="rir-generator is not installed: pip install 'kws_tf[synth]'")
    room = Room((6.2, 5.1, 2.9), 0.3, (2.3, 2.2, 1.1), (3.3, 2.0, 1.6), (4.9, 4.1, 0.7))
    return room, room_set.responses(room, RATE)


def test_direct_sounds_come_first_and_the_voice_has_energy_one(pair):
    _, found = pair
    assert found.shape == (4800, 2) and np.sum(found[:, 0] ** 2) == pytest.approx(1)
    assert np.argmax(np.abs(found[:, 0])) == 0 and np.argmax(np.abs(found[:100, 1])) <= 1


def test_direct_sounds_fall_with_the_distance(pair):
    room, found = pair
    # A sound that arrives between two samples is spread over both; the first reflection comes later.
    voice, noise = (np.abs(found[:2, source]).max() for source in (0, 1))
    assert voice / noise == pytest.approx(room.noise_m / room.voice_m, rel=0.4) and room.noise_m / room.voice_m > 2.5


def test_a_noise_source_nearer_than_the_voice_is_louder(pair):
    room, _ = pair
    near = room_set.responses(Room(room.size, room.rt60_s, room.microphone, room.noise, room.voice), RATE)
    assert np.sum(near[:, 1] ** 2) > 1.5 and np.argmax(np.abs(near[:, 1])) == 0


def test_sound_decays_in_the_reverberation_time(pair):
    room, found = pair
    assert decay_s(found[:, 0]) == pytest.approx(room.rt60_s, rel=0.3)


@pytest.fixture
def run(monkeypatch):
    def call(*arguments):
        values = flags.FlagValues()
        rooms.define(values)
        rest = values(["rooms", *map(str, arguments)])
        monkeypatch.setattr(rooms, "FLAGS", values)
        return rooms.main(rest)
    return call


def test_the_program_makes_a_folder_for_training(run, tmp_path, capsys):
    pytest.importorskip("rir_generator", reason="rir-generator is not installed: pip install 'kws_tf[synth]'")
    arguments = ("--rooms=3", "--workers=1", "--rt60_s=0.2,0.25", "--side_m=4,6")
    run("--output", tmp_path / "a", *arguments)
    assert "3 rooms" in capsys.readouterr().out
    found = dataset.load_responses(tmp_path / "a", RATE)
    assert found.shape[:2] == (3, 2) and len({row.tobytes() for row in found}) == 3
    described = json.loads((tmp_path / "a" / "rooms.json").read_text())
    assert len(described["rooms"]) == 3 and described["settings"]["side_m"] == [4, 6]
    np.testing.assert_allclose(np.sum(found[:, 0] ** 2, axis=-1), 1, rtol=1e-4)
    run("--output", tmp_path / "b", *arguments)
    for name in ("room_00000.wav", "room_00002.wav"):
        np.testing.assert_array_equal(soundfile.read(tmp_path / "a" / name)[0], soundfile.read(tmp_path / "b" / name)[0])
    before = (tmp_path / "a" / "room_00000.wav").stat()
    run("--output", tmp_path / "a", *arguments)
    assert "3 rooms, there already." in capsys.readouterr().out
    assert (tmp_path / "a" / "room_00000.wav").stat() == before
    with pytest.raises(DatasetError, match="is not empty and holds no rooms of these settings"):
        run("--output", tmp_path / "a", *arguments, "--seed=2")
    (tmp_path / "a" / "rooms.json").unlink()
    with pytest.raises(DatasetError, match="is not empty"):
        run("--output", tmp_path / "a", *arguments)


def test_rooms_that_are_not_all_made_are_none(tmp_path, monkeypatch):
    def fail(job):
        job[2].touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room_set, "_write", fail)
    with pytest.raises(DatasetError, match="rooms: .*halls cannot be made: No space left"):
        room_set.make(tmp_path / "halls", room_set.RoomConfig(rooms=2), progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("arguments", "message"), [
    ((), "--output is missing"), (("--output=x", "--rt60_s=a,b"), "--rt60_s=a,b: expected comma-separated numbers"),
    (("--output=x", "--voice_m=1"), "voice_m must be two numbers"), (("x",), "unexpected argument"),
])
def test_wrong_flags_are_one_clear_error(run, arguments, message):
    with pytest.raises((ConfigError, flags.IllegalFlagValueError), match=message):
        run(*arguments)
