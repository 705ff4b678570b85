"""One MCP server in place of dozens.

toolrouter is an MCP client of many *upstream* servers and one MCP server for a *host*. Data flows left to right,
imports point down:

    upstream → guard → catalog → index → retrieval → server → upstream

    types, errors          values that all layers share; the exception tree
    config, settings_file  settings as values; the file they are read from
    ports                  every seam on one screen
    wire                   JSON-RPC over lines, no library
    catalog, guard         what tools exist; which of them may be seen and called
    index, retrieval       text → searchable; query → ranked, calibrated hits
    upstream, server       the client side; what the host sees
    app                    the composition root: settings → a running router
    cli                    one command per file
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
