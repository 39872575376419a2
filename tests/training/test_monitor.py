from kws_tf.training.monitor import Monitor


def follow(monitor, values):
    return [monitor.update({monitor.metric: value}) for value in values]


def test_higher_accuracy_is_better_and_a_tie_is_not():
    monitor = Monitor("accuracy")
    assert follow(monitor, [0.5, 0.4, 0.5, 0.6]) == [True, False, False, True]
    assert monitor.state == {"best": 0.6, "best_epoch": 4, "epoch": 4, "stale": 0}


def test_lower_loss_is_better():
    assert follow(Monitor("loss"), [2.0, 1.0, 1.5]) == [True, True, False]


def test_patience():
    monitor = Monitor("accuracy", patience=2)
    follow(monitor, [0.5, 0.4])
    assert not monitor.exhausted
    follow(monitor, [0.5])
    assert monitor.exhausted
    never = Monitor("accuracy")
    follow(never, [0.5] * 50)
    assert not never.exhausted and never.stale == 49


def test_epochs_of_the_warm_up_are_free():
    monitor = Monitor("accuracy", patience=2, free_epochs=3)
    follow(monitor, [0.5, 0.1, 0.1, 0.1])
    assert (monitor.stale, monitor.exhausted) == (1, False)


def test_a_value_that_is_not_a_number_is_never_best():
    assert follow(Monitor("loss"), [float("nan"), 1.0]) == [False, True]
