"""`toolrouter` and `python -m toolrouter`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and exits with its status.

    `serve` is what hosts start and wait for: it goes past the command-line framework, which costs it 0.1 s, and past
    everything else too when there is a daemon to connect with.
    """
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        from toolrouter.daemon.connector import serve_through_daemon

        if (status := serve_through_daemon(arguments[1:])) is not None:
            sys.exit(status)
        from toolrouter.cli.serve import serve_command

        sys.exit(serve_command(arguments[1:]))
    from toolrouter.cli.main import run

    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
