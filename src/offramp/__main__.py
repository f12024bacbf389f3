"""`python -m offramp` is the command `offramp`."""

import sys

from offramp.cli import main

sys.exit(main())
