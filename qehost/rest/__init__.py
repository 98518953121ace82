"""The venue's REST interface: `API`.

Every method can be called from any thread, but not in a fork of the process that made the `API`:
there it raises `TransportError`.  The errors are those of `qehost.errors`:

* `APIError`: the venue refused; it has `code`, `reason`, `message` and `trace_id`.
* `ClientError`, `ServerError`: something in front of the venue refused, or the answer is not JSON.
* `TransportError`: no answer.
* `IncompleteList`: not all of a list came.

All of them are `RestError`, with `status_code` and `retry_after`.  No error, log line or `repr`
holds a key, a secret or a signature.

Retried automatically: a GET that got no answer, or HTTP 418, 429 or 5xx (`Retry-After` is obeyed);
and any call that the venue refused for its timestamp, once, after the clock was measured again.
Nothing else: an action whose answer was lost may have been carried out, and a new listen key ends
the old one, so repeating these is the caller's decision.
"""

from qehost.rest.api import API
from qehost.rest.listen_key import ListenKey, make_listen_key
from qehost.rest.replies import Page
from qehost.rest.retries import Retries

__all__ = ["API", "ListenKey", "Page", "Retries", "make_listen_key"]
