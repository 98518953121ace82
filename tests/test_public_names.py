"""What `import qehost` gives."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import qehost


@pytest.mark.parametrize("name", qehost.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert callable(getattr(qehost, name))


def test_the_version_is_the_package_s() -> None:
    assert qehost.__version__ == version("qehost")


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Fill'"):
        _ = qehost.Fill  # type: ignore[attr-defined]


def test_importing_qehost_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import qehost; "
        "print(*(set(sys.modules) - before - {'qehost', 'importlib', 'typing'}))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not [name for name in loaded if name.partition(".")[0] in ("msgspec", "urllib3")]
    assert not [name for name in loaded if name.startswith("qehost.")]
