# SPDX-License-Identifier: Apache-2.0
"""Load on one or more gateways: bounded threads, every answer counted and timed."""
import threading
import time
from collections import Counter

from .client import Closed, request


class Load:
    """Requests from `clients` threads, in turn over the gateways, each pausing
    `pause` seconds; for `duration` seconds, or until stopped as a context."""

    def __init__(self, gateways, clients=8, pause=0.01, duration=None, fields=(),
                 target="/"):
        self.gateways = gateways
        self.pause, self.duration = pause, duration
        self.data = request("GET", target, fields)
        self.statuses = Counter()
        self.answers = []               # (when it was sent, seconds it took, status)
        self.broken = []
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.began = time.monotonic()
        self.ended = None
        self.threads = [threading.Thread(target=self._client, args=(n,), daemon=True)
                        for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def _client(self, number):
        gateway = self.gateways[number % len(self.gateways)]
        link = gateway.connect()
        mine = []
        try:
            while not self.ending.is_set() and not (
                    self.duration and time.monotonic() - self.began > self.duration):
                sent = time.monotonic()
                status = link.send(self.data).response().status
                mine.append((sent, time.monotonic() - sent, status))
                self.ending.wait(self.pause)
        except (OSError, Closed) as error:
            self.broken.append(repr(error))
        link.close()
        with self.lock:
            self.answers += mine
            self.statuses.update(status for _, _, status in mine)

    def finish(self):
        """Waits for the end; returns the seconds it took."""
        if self.duration is None:
            self.ending.set()
        for thread in self.threads:
            thread.join()
        self.ended = self.ended or time.monotonic()
        self.answers.sort()
        return self.ended - self.began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.finish()

    def between(self, begin, end):
        """Answers to what was sent in that time (monotonic)."""
        return [a for a in self.answers if begin <= a[0] < end]


def percentile(answers, share):
    """Of the times they took, in seconds."""
    times = sorted(took for _, took, _ in answers)
    return times[min(len(times) - 1, int(len(times) * share))]
