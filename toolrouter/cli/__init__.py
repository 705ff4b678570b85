"""The command line: one command per file, each with one function `command`.

Stdout carries the data asked for and nothing else; everything said about it goes to stderr. Exit status: 0 done,
1 could not be done (the message says why), 2 wrong usage, 3 a bug of ours, 130 interrupted.
Commands are imported when they are called: `toolrouter --help` loads none of them.
"""
