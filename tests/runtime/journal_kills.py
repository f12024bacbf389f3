"""Kills a process at its journal again and again: python journal_kills.py PATH N_KILLS SEED.

This process imports once and never opens the journal. Its children, forked one after the other, append,
refine, hand out and acknowledge, and say on a pipe what they are about to do and what they did; each is
killed at a random moment. The last one lives and finishes what is left. Prints all they said, as JSON.
"""

import json
import os
import random
import select
import signal
import sys
import time
import traceback

from offramp.runtime.journal import Entry, Journal, Verdict

LIFE_S = 0.04  # a child is killed within this time after it opened the journal
START_S = 10.0  # or this long after the fork, if it has not opened by then
FINISH_S = 30.0  # the last one has as long as this


class Child:
    def __init__(self, path, name, say):
        self.rng, self.name, self.say = random.Random(name), name, say
        self.journal = Journal(path, keep_acknowledged=5)

    def work(self):
        self.say("opened")
        for k in range(10**6):
            self.append([f"{self.name}-{k}-{i}" for i in range(self.rng.randint(1, 3))])
            self.refine(self.rng.randint(0, 3))
            self.hand_out(self.rng.randint(0, 3))

    def finish(self):
        while self.refine(64):
            continue
        while self.hand_out(64):
            continue
        self.say("finished")

    def append(self, ids):
        for id in ids:
            self.say(f"tries {id}")
        self.journal.append(*(Entry(id, time.time(), id.encode() * 20, Verdict(0, 0.5), "h") for id in ids))
        for id in ids:
            self.say(f"appended {id}")

    def refine(self, limit):
        if not limit:
            return 0
        pending = self.journal.pending(limit)
        for _, entry in pending:
            assert entry.request == entry.id.encode() * 20
            refinement = self.journal.refine(entry.id, Verdict(self.rng.randint(0, 10**6), 0.5))
            self.say(f"refined {entry.id} {refinement.refined.label}")
            assert self.journal.refine(entry.id, Verdict(0, 0.5)) is None
        return len(pending)

    def hand_out(self, limit):
        if not limit:
            return 0
        outcomes = self.journal.undelivered(limit)
        for outcome in outcomes:
            self.say(f"handed {outcome.id} {outcome.refined.label}")
        if outcomes:
            self.journal.delivered(*(outcome.id for outcome in outcomes))
        for outcome in outcomes:
            self.say(f"acknowledged {outcome.id}")
        return len(outcomes)


def fork(path, name, *, finish):
    """A child at work: its process id, and where to read what it says."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    try:
        os.close(reader)
        child = Child(path, name, lambda line: os.write(writer, line.encode() + b"\n"))
        if finish:
            child.finish()
        else:
            child.work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 (the parent is told)
        os.write(writer, b"failed " + traceback.format_exc().replace("\n", " | ").encode() + b"\n")
        os._exit(1)


def life(path, name, rng, *, finish=False):
    """What a child said before it was killed, and whether it was."""
    pid, reader = fork(path, name, finish=finish)
    said, end = b"", time.monotonic() + (FINISH_S if finish else START_S)
    while True:
        now = time.monotonic()
        if now >= end:
            os.kill(pid, signal.SIGKILL)
        ready, _, _ = select.select([reader], [], [], 0.001)
        if ready:
            piece = os.read(reader, 1 << 16)
            if not piece:
                break
            if not said and not finish:
                end = now + rng.random() * LIFE_S
            said += piece
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    return said.decode().splitlines(), os.WIFSIGNALED(status)


def main():
    path, n_kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng, lives, n_killed = random.Random(seed), [], 0
    for number in range(n_kills):
        said, killed = life(path, f"{seed}.{number}", rng)
        lives.append(said)
        n_killed += killed
    lives.append(life(path, f"{seed}.last", rng, finish=True)[0])
    json.dump({"killed": n_killed, "lives": lives}, sys.stdout)


if __name__ == "__main__":
    main()
