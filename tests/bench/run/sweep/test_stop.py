"""Signals are a wish at first, and a second Ctrl-C is an order."""

import os
import signal

import pytest

from bench.run.sweep.stop import SIGNALS, Stop


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_the_sweep_to_end(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Stop() as stop:
        assert not stop.wait(0)
        os.kill(os.getpid(), number)
        assert stop.wait(60)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

    assert signal.getsignal(number) is before
