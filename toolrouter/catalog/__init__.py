"""What tools exist: names, signatures, costs, snapshots, and the state on disk that outlives the process.

A listing of one upstream goes in (`LiveCatalog.absorb`), an immutable `Catalog` comes out; every request
reads one snapshot and keeps it. Above: guard, which decides what may be seen, and the index. Below: ports and types.
"""
