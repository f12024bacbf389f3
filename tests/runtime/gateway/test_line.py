import logging
import threading

from offramp.runtime.gateway import SerialLine

GONE = "/dev/offramp-is-not-there"


class Patience(threading.Event):
    """A stop that comes after so many waits, none of which takes any time."""

    def __init__(self, n_waits):
        super().__init__()
        self.n_waits, self.waits_s = n_waits, []

    def wait(self, timeout=None):
        self.waits_s.append(timeout)
        if len(self.waits_s) == self.n_waits:
            self.set()
        return self.is_set()


def test_a_port_that_is_not_there_is_tried_ever_less_often_and_told_of_once(caplog):
    caplog.set_level(logging.INFO, "offramp.runtime")
    patience = Patience(7)
    assert not SerialLine(GONE).open(patience)
    assert patience.waits_s == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert caplog.messages == [
        f"serial port {GONE}: No such file or directory; trying again until it is there"
    ]
