"""`toolrouter logout`: forgets a login."""

from __future__ import annotations

from typing import Annotated

import anyio
import typer

from toolrouter.cli import options
from toolrouter.cli.login import remote_server
from toolrouter.cli.output import say
from toolrouter.cli.session import load
from toolrouter.errors import StoreError
from toolrouter.settings_file import home_folder


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A remote server, as `list` names it.")],
    config: options.Config = None,
) -> None:
    """Tells the login service, where it takes note of that, and drops all tokens and the registration."""
    from toolrouter.upstream.oauth_login import revoke
    from toolrouter.upstream.oauth_store import LoginStore

    spec = remote_server(load(config).settings, name)
    store = LoginStore(home_folder(), name, spec.url or "")
    try:
        login = store.read()
    except StoreError:
        login = None  # it cannot be read, and goes all the same
    told = login is not None and anyio.run(revoke, login)
    if store.remove():
        say(f"Logged out of {name}" + (", and its login service knows." if told else "."))
    else:
        say(f"There was no login to {name}.")
