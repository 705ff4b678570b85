"""The client side: reaches the servers a person configured, keeps them running while they are used, asks them raw.

Bottom up: `processes` and `reaper` (child processes), `stdio` and `http` (carriers of messages), `connect` (one
negotiated connection), `normalise` and `listing` (what a server offers), `keeper` (one server, its owner task) and
`fleet` (all of them). Above sits `server`; below `wire`. Definitions and results are never parsed into models: they
travel as they came.
"""
