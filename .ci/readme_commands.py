"""Run the commands that the README marks as complete set-ups, exactly as they are written there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

MARKED = re.compile(r"<!-- ci: run -->\n```(?:shell|console|bash)\n(.+?)```", re.DOTALL)


def main() -> int:
    """Run each marked block; return the exit code of the first that fails."""
    blocks = MARKED.findall(Path("README.md").read_text(encoding="utf-8"))
    if not blocks:
        print("README.md marks no commands", file=sys.stderr)
        return 1
    for block in blocks:
        print(f"+ {block}", flush=True)
        code = subprocess.run(["bash", "-ec", block], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
