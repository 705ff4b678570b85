"""`toolrouter login`: a person logs in to a remote server, in the browser."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING, Annotated

import anyio
import anyio.to_thread
import typer

from toolrouter.cli import options
from toolrouter.cli.errors import DONE, FAILED
from toolrouter.cli.output import counted, say
from toolrouter.cli.session import load, no_server, server_error, with_router
from toolrouter.errors import ConfigError
from toolrouter.settings_file import home_folder

if TYPE_CHECKING:
    from toolrouter.app import Running
    from toolrouter.config import OAuthSettings, Settings, UpstreamSpec


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A remote server, as `list` names it.")],
    scope: Annotated[str, typer.Option("--scope", help="Ask for these rights, separated by spaces.")] = "",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Show the address only.")] = False,
    wait: Annotated[float, typer.Option("--wait", metavar="SECONDS", help="For the person in the browser.")] = 300,
    config: options.Config = None,
    verbose: options.Verbose = False,
) -> int:
    """The login is kept in the keyring, or in a file that only you can read, and renewed before it runs out."""
    from toolrouter.upstream.oauth_login import log_in
    from toolrouter.upstream.oauth_store import LoginStore

    settings = load(config, verbose=verbose).settings
    spec = remote_server(settings, name)
    choice = _choice(settings, name, scope)

    async def show(address: str) -> None:
        say(f"Log in to {name} here:\n{address}")
        if not no_browser:
            await anyio.to_thread.run_sync(webbrowser.open, address)

    async def run() -> bool:
        return await log_in(LoginStore(home_folder(), name, spec.url or ""), spec, choice, show, timeout_s=wait)

    in_keyring = anyio.run(run)
    say(f"Logged in to {name}; kept in {'the keyring' if in_keyring else 'a file that only you can read'}.")
    return with_router(config, lambda router: _index(router, name), verbose=verbose)


def remote_server(settings: Settings, name: str) -> UpstreamSpec:
    """Raises NotFound or ConfigError when that is no server one can log in to."""
    if name not in settings.servers:
        remote = [alias for alias, spec in settings.servers.items() if spec.url is not None]
        raise no_server(name, remote, what="remote server", add=f"toolrouter add {name} URL")
    spec = settings.servers[name]
    if spec.url is None:
        raise ConfigError(f"{name} is a program on this machine; it logs in by itself.")
    if any(header.lower() == "authorization" for header in spec.headers):
        raise ConfigError(
            f"{name} has an `Authorization` header in the config, which is used as it is: remove it first."
        )
    if spec.unusable:
        raise ConfigError(f"{name}: {spec.unusable}")
    return spec


def _choice(settings: Settings, name: str, scope: str) -> OAuthSettings:
    import os

    from toolrouter.settings_file.references import Missing, expand

    choice, missing = settings.options(name).oauth, list[Missing]()
    secret = expand(choice.client_secret, os.environ, f"toolrouter.servers.{name}.oauth.client_secret", missing)
    if missing:
        raise ConfigError(f"{missing[0]}.")
    return choice.model_copy(update={"client_secret": secret, "scope": scope or choice.scope})


async def _index(router: Running, name: str) -> int:
    await router.index([name], force=True)
    if error := server_error(router, name):
        say(f"{name} did not list its tools all the same: {error}")
        return FAILED
    tools = sum(tool.server == name for tool in router.catalog.snapshot.visible)
    say(f"{name} has {counted(tools, 'tool')}.")
    return DONE
