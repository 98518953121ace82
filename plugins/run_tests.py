"""Build each plugin here as a wheel, install it, and run its own tests against what was installed.

Arguments go to pytest.  The exit code is 0 if the tests of every plugin pass.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    failed = []
    for project in sorted(HERE.glob("*/pyproject.toml")):
        plugin = project.parent
        print(f"=== {plugin.name}", flush=True)
        with tempfile.TemporaryDirectory() as wheels:
            run("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, str(plugin))
            (wheel,) = Path(wheels).glob("*.whl")
            run("-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", str(wheel))
        # Not from the plugin's folder: its source must not hide what was installed.
        tests = ["-m", "pytest", "-c", str(project), "--rootdir", str(plugin)]
        outcome = subprocess.run(
            [sys.executable, *tests, str(plugin / "tests"), *sys.argv[1:]], cwd=HERE, check=False
        )
        if outcome.returncode:
            failed.append(plugin.name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
