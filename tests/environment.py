"""How this process and the programs that it starts run: imported before anything else (`conftest.py`)."""

import os
import sys

# The tests start this program more than a hundred times: it is compiled once, whatever the machine's default is.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# As the program does it for itself: `app.__main__.main`.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
