"""Print the port given on the command line if it is free, otherwise another one that is."""

from __future__ import annotations

import socket
import sys


def main() -> None:
    """Bind to the address as a server does, and print the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(sys.argv[1])))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        print(probe.getsockname()[1])


if __name__ == "__main__":
    main()
