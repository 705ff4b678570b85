"""The config file: found, read, checked, and edited without spoiling what a person wrote.

    load        finds and reads it; settings as values
    references  `${NAME}` from the environment
    faults      what is wrong, in the words of the file
    watch       follows the file while it is edited
    edit        adds and removes servers as text
    jsonc       JSON with comments, and where everything stands

Above: the composition root, the command line, hosts' config files. Below: config.
"""

from toolrouter.settings_file.load import (
    SERVER_KEYS,
    ConfigFile,
    Loaded,
    candidates,
    find_config,
    home_folder,
    load_settings,
    parse_config,
    read_config,
    secret_values,
    settings_of,
)
from toolrouter.settings_file.watch import ConfigWatch

__all__ = [
    "SERVER_KEYS",
    "ConfigFile",
    "ConfigWatch",
    "Loaded",
    "candidates",
    "find_config",
    "home_folder",
    "load_settings",
    "parse_config",
    "read_config",
    "secret_values",
    "settings_of",
]
