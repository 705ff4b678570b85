"""Query to ranked, calibrated hits: dense and lexical search, fusion, sub-queries, the cut.

Above: the server, the command line and the evaluation, which call `search`. Below: `toolrouter.index`. Pure:
no MCP, no I/O beyond what an embedder does.
"""
