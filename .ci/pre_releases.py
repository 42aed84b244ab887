"""Run the tests with pre-releases of dependencies: print the pre-releases, and decide if failed tests fail CI.

Failed tests fail CI, unless an installed pre-release is listed in `.ci/broken_pre_releases.txt`. A line there is
`name==version`, and the reason after `#`. It excuses only that version, so the next pre-release is tested again.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

PRE_RELEASE = re.compile(r"\d(a|b|rc|\.dev)\d+")
BROKEN = Path(__file__).with_name("broken_pre_releases.txt")


def main() -> int:
    """Run pytest with the arguments of this command; return 1 if its failure counts, else 0."""
    installed = {f"{each.metadata['Name'].lower()}=={each.version}" for each in distributions()}
    found = sorted(each for each in installed if PRE_RELEASE.search(each.partition("==")[2]))
    print(f"pre-releases installed: {', '.join(found) or 'none'}", flush=True)
    if subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], check=False).returncode == 0:
        return 0
    broken = {line.partition("#")[0].strip().lower() for line in BROKEN.read_text(encoding="utf-8").splitlines()}
    excused = [each for each in found if each in broken]
    print("!" * 80)
    print(f"THE TESTS FAIL WITH THE PRE-RELEASES {', '.join(found)}")
    print(f"excused by {BROKEN.name}: {', '.join(excused)}" if excused else f"none of them is excused by {BROKEN.name}")
    print("!" * 80, flush=True)
    return 0 if excused else 1


if __name__ == "__main__":
    sys.exit(main())
