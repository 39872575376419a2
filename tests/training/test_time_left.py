from kws_tf.training.time_left import TimeLeft


def test_pace_of_the_epochs_without_the_first_that_compiles():
    now = [100.0]
    left = TimeLeft(10, done=4, clock=lambda: now[0])
    now[0] = 110.0
    assert left.text(4.5) == "01:50"
    now[0] = 130.0
    left.finish(5)
    assert left.text(5) == "02:30"
    now[0] = 135.0
    assert left.text(5.5) == "01:45"
    now[0] = 140.0
    left.finish(6)
    assert left.text(6) == "00:40"
    now[0] = 160.0
    left.finish(7)
    assert left.text(7) == "00:45"


def test_the_last_epoch_leaves_nothing():
    left = TimeLeft(1)
    left.finish(1)
    assert left.text(1) == "00:00"
