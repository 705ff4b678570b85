"""One router per user and config, shared by every host; what hosts start is a thin connector to it.

    place         which files and which address belong to a home and a config
    greeting      the first line each side says: versions, secrets, what is wanted
    joining       joins the running daemon, or starts one; of many that try at once, one does
    conversation  what must be said again when the daemon was replaced under a host
    connector     `toolrouter serve`: carries lines between a host and the daemon
    left          what the last daemon left: answers for the time until the next one, and the last good config
    launch        the first thing a daemon process does
    service       accepts connections, serves hosts, answers commands, leaves when nobody is left
    leaving       the daemon's side of `left`
    control       commands' side of it: status, stop, restart

place, greeting, joining, left, conversation and connector use the standard library only: a host waits for them.
"""
