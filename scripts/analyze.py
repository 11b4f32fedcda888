#!/usr/bin/env python3
"""clang-tidy over a compile database, several files at once: analyze.py BUILD [PATH...] (PATHs: only these files).

Files that include LibTorch, by whatever way, are checked differently:
- with libc++: clang 14 refuses LibTorch 1.13's headers with libstdc++ 12's constexpr std::vector;
- without the checks in SLOW: clang-tidy matches all of LibTorch's headers too, half a minute a file and check.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SLOW = ["performance-unnecessary-value-param", "bugprone-reserved-identifier", "bugprone-forward-declaration-namespace",
        "bugprone-undelegated-constructor", "bugprone-stringview-nullptr"]
includes_torch = {}


def torch(file):
    """Whether `file` includes LibTorch."""
    if file not in includes_torch:
        includes_torch[file] = False
        text = file.read_text()
        folders = (ROOT / "include", ROOT / "src", ROOT, file.parent)
        ours = [folder / name for name in re.findall(r'#include "(.*?)"', text) for folder in folders
                if (folder / name).is_file()]
        includes_torch[file] = bool(re.search(r"#include <(torch|ATen|c10)/", text)) or any(map(torch, ours))
    return includes_torch[file]


def check(build, file):
    command = ["clang-tidy-14", "--quiet", "-p", build, str(file)]
    if torch(file):
        command += ["--extra-arg=-stdlib=libc++", "--checks=" + ",".join("-" + name for name in SLOW)]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    # Standard error holds counts of what was suppressed; it matters only where clang-tidy itself failed.
    return done.returncode, done.stdout or done.stderr, time.monotonic() - start


def main():
    build, *only = sys.argv[1:]
    files = {pathlib.Path(entry["file"]) for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text())}
    if only:
        files &= {pathlib.Path(path).resolve() for path in only}
    slow_first = sorted(files, key=lambda file: (not torch(file), file))
    failed = []
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {pool.submit(check, build, file): file for file in slow_first}
        for number, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            name = jobs[job].relative_to(ROOT)
            code, text, seconds = job.result()
            print(f"[{number}/{len(jobs)}] {name} {seconds:.0f} s", flush=True)
            if code:
                failed.append(str(name))
                print(text, flush=True)
    print(f"clang-tidy: {len(files)} files, {sum(map(torch, files))} of them with LibTorch, in {time.monotonic() - start:.0f} s")
    if failed:
        sys.exit("clang-tidy has something to say about " + ", ".join(sorted(failed)))


main()
