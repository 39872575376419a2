import numpy as np
import pytest

from kws_tf.errors import AudioError, KwsError
from kws_tf.synthesis import speech_program


def test_a_missing_program_names_its_package(programs):
    with pytest.raises(KwsError, match="--engine=flite needs the program flite, which is not installed. .*apt install flite-package$"):
        speech_program.find("flite", "flite", "flite-package")
    programs.write("flite", "")
    assert speech_program.find("flite", "flite", "x") == str(programs.folder / "flite")


def test_an_answer_is_what_is_printed_whatever_the_status(programs):
    programs.write("asked", "print(*said); sys.exit(1)")
    assert speech_program.answer(str(programs.folder / "asked"), "a b", "$HOME") == "a b $HOME\n"
    programs.write("broken", "sys.exit('no data')")
    with pytest.raises(KwsError, match="broken -x ended with status 1: no data"):
        speech_program.answer(str(programs.folder / "broken"), "-x")
    with pytest.raises(KwsError, match="none could not be run to its end"):
        speech_program.answer(str(programs.folder / "none"))


def test_speech_is_read_and_its_folder_removed(programs):
    programs.write("say", "tone(said[1], 200.0, 0.5, 0.25)")
    outputs = []

    def command(output):
        outputs.append(output)
        return [str(programs.folder / "say"), "it's; $HOME", str(output)]

    samples, rate = speech_program.speak(command, "test")
    assert rate == 16000 and samples.shape == (8000,) and np.abs(samples).max() == pytest.approx(0.25, abs=1e-3)
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 100
    assert programs.said()[0] == "it's; $HOME" and not outputs[0].parent.exists()


@pytest.mark.parametrize(("body", "words"), [
    ("tone(said[0]); sys.exit('no such sound')", "ended with status 1: no such sound"), ("", "wrote no file"),
    ("tone(said[0], seconds=0)", "wrote no speech: .*no samples"), ("open(said[0], 'w').write('x')", "wrote no speech: .*not a recording"),
])
def test_a_program_that_fails_is_one_clear_error(programs, body, words):
    programs.write("say", body)
    with pytest.raises(AudioError, match=f"^test: .*say .*{words}"):
        speech_program.speak(lambda output: [str(programs.folder / "say"), str(output)], "test")
