"""What holds for every test."""

import os

from hypothesis import settings

# A busy machine makes an example slow, not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Tests run side by side, one to a core; those that are about threads ask for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
