"""The command and the screens: thin, for people."""

import os

# The optimizer multiplies many small matrices, for which BLAS threads only get in each other's way: measured on 2
# cores, a plan of the demo takes three times as long with them. NumPy reads this once, when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
