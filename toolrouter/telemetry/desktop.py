"""Notices to the person in front of the screen, by the tool that the system has. Nothing can be answered."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping

import anyio

logger = logging.getLogger(__name__)

TITLE = "toolrouter"
PATIENCE_S = 15.0
_MAC = ("on run argv", "display notification (item 1 of argv) with title (item 2 of argv)", "end run")
_WINDOWS = """
[void][Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]
$manager = [Windows.UI.Notifications.ToastNotificationManager]
$xml = $manager::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$texts = $xml.GetElementsByTagName('text')
[void]$texts.Item(0).AppendChild($xml.CreateTextNode($env:TOOLROUTER_NOTICE_TITLE))
[void]$texts.Item(1).AppendChild($xml.CreateTextNode($env:TOOLROUTER_NOTICE))
$id = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'
$manager::CreateToastNotifier($id).Show([Windows.UI.Notifications.ToastNotification]::new($xml))
"""


def command_for(
    text: str, platform: str = sys.platform, which: Callable[[str], str | None] = shutil.which
) -> tuple[list[str], Mapping[str, str]]:
    """The command that shows a notice, and what it needs in its environment; empty where there is no such tool.

    The text is an argument or a variable, never part of a script.
    """
    if platform == "darwin" and (tool := which("osascript")):
        return [tool, *(part for line in _MAC for part in ("-e", line)), text, TITLE], {}
    if platform == "win32" and (tool := which("powershell")):
        said = {"TOOLROUTER_NOTICE_TITLE": TITLE, "TOOLROUTER_NOTICE": text}
        return [tool, "-NoProfile", "-NonInteractive", "-Command", _WINDOWS], said
    if platform.startswith("linux") and (tool := which("notify-send")):
        return [tool, "--app-name", TITLE, "--", TITLE, text], {}
    return [], {}


async def show(text: str) -> None:
    """Shows a notice if that is possible; never raises for a system that cannot."""
    command, said = command_for(text)
    if not command:
        return
    try:
        with anyio.move_on_after(PATIENCE_S):
            await anyio.run_process(
                command, env={**os.environ, **said}, stdin=subprocess.DEVNULL, check=False, start_new_session=True
            )
    except OSError as error:
        logger.debug("no notice could be shown: %s", error)
