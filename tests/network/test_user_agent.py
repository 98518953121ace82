"""What qehost calls itself."""

from __future__ import annotations

import qehost
from qehost.network.user_agent import user_agent


def test_it_names_the_program_and_its_version() -> None:
    assert user_agent() == f"qehost/{qehost.__version__}"
