"""What starting costs: `import isometry` on top of `import torch`, and `isometry --help`. Medians, in turn.

python benchmarks/startup.py [--repeat 7]
"""

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "import torch, isometry": [sys.executable, "-c", "import torch, isometry"],
    "import torch, isometry; isometry.losses": [sys.executable, "-c", "import torch, isometry; isometry.losses"],
    "isometry --help": [sys.executable, "-m", "isometry.cli", "--help"],
}


def timed(command):
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    for command in COMMANDS.values():
        timed(command)
    runs = [{name: timed(command) for name, command in COMMANDS.items()} for _ in range(repeat)]
    base = "import torch"
    print(f"median of {repeat}, in turn\n\n| command | seconds | beyond `import torch` |\n|---|---|---|")
    for name in COMMANDS:
        seconds = statistics.median(run[name] for run in runs)
        more = statistics.median(run[name] - run[base] for run in runs)
        print(f"| `{name}` | {seconds:.2f} | {more:+.2f} |")


if __name__ == "__main__":
    main()
