"""Any other service, by Apprise.

Apprise says only whether it thinks that a message was taken; there is no status and no time to
wait in its answer.
"""

from __future__ import annotations

import logging

from apprise import Apprise, AppriseAsset
from qehost.secret import Secret

from qehost_notify.services import Answer, Outgoing

__all__ = ["AppriseService"]

# They write whole addresses, with what is secret in them.
for _name in ("apprise", "urllib3", "requests"):
    logging.getLogger(_name).setLevel(logging.CRITICAL if _name == "apprise" else logging.WARNING)


class AppriseService:
    """A service of Apprise."""

    kind = "apprise"
    pace = 3.0
    address = ""

    def __init__(self, url: str) -> None:
        self._url = Secret(url)
        self._apprise()

    def _apprise(self) -> Apprise:
        # Redirects would carry the message, and the secret path, wherever they lead.
        made = Apprise(asset=AppriseAsset(http_redirects=False))
        if not made.add(self._url.reveal()):
            raise ValueError("Apprise has no such service, or a part of the URL is missing")
        return made

    def send(self, message: Outgoing, timeout: float) -> Answer:
        # A new object each time: one that is kept sleeps between messages by itself.
        if self._apprise().notify(body=message.text, title=message.title):
            return Answer("sent")
        return Answer("later", "Apprise could not send it, and does not say why")
