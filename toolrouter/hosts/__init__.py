"""The applications that call us: Claude Desktop, Claude Code, Cursor, VS Code, Codex … and their config files.

    places    which hosts there are, and where each keeps its servers on each platform
    reading   the servers of any host's file
    entries   servers as hosts write them and as we do; when two are the same
    filters   which tools a host hides, as `allow` and `deny`
    hiding    secrets out of entries, into the keyring
    block     a host's file with its servers replaced, as text
    moving    what moves where: the plan of an installation
    records   what was done to which file, and how it was before
    links     install links, and a bundle for Claude Desktop

Above: the command line. Below: settings_file, config.
"""
