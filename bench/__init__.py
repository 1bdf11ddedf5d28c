"""The harness: measures `nin`, or any small CNN, and says how sure one can be."""

import sys

if sys.platform == "win32":  # here, before any import of what Windows lacks: fcntl, resource, fork
    sys.stderr.write("bench: Windows can't fork or lock files as measuring needs: use Linux, macOS or WSL2\n")
    raise SystemExit(4)
