#!/usr/bin/env python3
"""Checks that the layers point one way.

    layers.py dependencies   what the crates depend on, from the manifests (seconds, compiles nothing)
    layers.py map            whether ARCHITECTURE.md names every room, and only tests that are there
    layers.py signatures     whose types stand in the public items of core, auth and backend, from rustdoc's JSON

All print every violation and exit 1 when there is one.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Lowest first. A crate may depend on those before it, in no kind of dependency on one after it.
LAYERS = ["vmcp-core", "vmcp-auth", "vmcp-backend", "vmcp-server", "vmcp", "vmcp-tests"]

SERVING = ["axum", "axum-core", "tower-http"]
CLIENTS = ["reqwest", "ureq", "isahc", "curl"]
HYPER = ["hyper", "hyper-util", "hyper-rustls"]

# What must not be anywhere in the tree below a crate (normal and build dependencies, every platform).
NOT_BELOW = {
    "vmcp-core": ["tokio", "mio", "socket2", "rustls", "rmcp", *SERVING, *CLIENTS, *HYPER],
    # It runs credential commands, for which tokio has mio; what sockets need it has not.
    "vmcp-auth": ["socket2", "rustls", "rmcp", *SERVING, *CLIENTS, *HYPER],
    "vmcp-backend": ["rmcp", *SERVING, *CLIENTS],
    "vmcp-server": [*CLIENTS, "clap", "figment", "tracing-subscriber", "mimalloc"],
}

# What only these may name in their manifests.
ONLY_IN = {
    "anyhow": ["vmcp", "vmcp-tests"],
    "clap": ["vmcp", "vmcp-tests"],
    "figment": ["vmcp"],
    "mimalloc": ["vmcp"],
    "tracing-subscriber": ["vmcp", "vmcp-tests"],
    "rmcp": ["vmcp-server", "vmcp", "vmcp-tests"],
}

# Whose types must not stand in public items (crate names as rustc writes them).
PRIVATE_TYPES = {"rmcp", "axum", "axum_core", "hyper", "hyper_util", "hyper_rustls", "reqwest", "tokio_rustls", "rustls"}
STABLE_API = ["vmcp-core", "vmcp-auth", "vmcp-backend"]


def cargo(*args, env=None):
    done = subprocess.run(["cargo", *args], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=env)
    if done.returncode != 0:
        sys.exit(f"layers: cargo {args[0]} failed")
    return done.stdout


def packages():
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--no-deps", "--locked"))
    return {package["name"]: package for package in metadata["packages"]}


def below(crate):
    """Names in the tree below a crate, its own included."""
    tree = cargo(
        "tree", "--package", crate, "--edges", "normal,build", "--target", "all", "--all-features",
        "--prefix", "none", "--format", "{lib}|{p}", "--locked",
    )
    return {line.split("|", 1)[1].split(" ", 1)[0] for line in tree.splitlines() if "|" in line}


def dependency_problems(own, tree_below):
    """Every violation, as a sentence. `own`: manifests by name; `tree_below`: a function from a name to the names below it."""
    problems = []
    for name in sorted(own.keys() - set(LAYERS)):
        problems.append(f"{name} has no place in LAYERS: give it one")
    for rank, name in enumerate(LAYERS):
        if name not in own:
            problems.append(f"{name} is gone from the workspace: take it out of LAYERS")
            continue
        direct = {dependency["name"] for dependency in own[name]["dependencies"]}
        for upper in LAYERS[rank:]:
            if upper in direct:
                problems.append(f"{name} depends on {upper}, which is not below it")
        for banned, allowed in ONLY_IN.items():
            if banned in direct and name not in allowed:
                problems.append(f"{name} depends on {banned}, which only {' and '.join(allowed)} may")
        if banned := set(NOT_BELOW.get(name, [])):
            for found in sorted(banned & tree_below(name)):
                problems.append(f"{name} has {found} below it: cargo tree -p {name} -i {found} -e normal shows how")
    return problems


def rustdoc_json():
    """rustdoc's description of the libraries' public items. Its JSON is unstable: only rustdoc itself runs with the switch that allows
    it, and with the same selection as `./check docs`, so that nothing is compiled anew."""
    flags = "-Z unstable-options --output-format json"
    env = dict(os.environ, RUSTDOC=str(ROOT / "scripts" / "rustdoc-json"), RUSTDOCFLAGS=flags)
    cargo("doc", "--workspace", "--lib", "--no-deps", "--locked", "--quiet", env=env)
    target = Path(env.get("CARGO_TARGET_DIR", ROOT / "target"))
    for crate in STABLE_API:
        yield crate, json.loads((target / "doc" / f"{crate.replace('-', '_')}.json").read_text())


def paths_in(node):
    """The ids of all named types and traits in a part of an item."""
    if isinstance(node, list):
        for element in node:
            yield from paths_in(element)
    elif isinstance(node, dict):
        if isinstance(node.get("id"), (int, str)) and "path" in node:
            yield node["id"]
        for key, value in node.items():
            if key not in ("attrs", "docs", "links", "span"):
                yield from paths_in(value)


def signature_problems(crate, doc):
    names = {int(key): value["name"] for key, value in doc["external_crates"].items()}
    problems = set()
    owners = set()
    for item in doc["index"].values():
        if item["crate_id"] != 0 or item["visibility"] not in ("public", "default"):
            continue
        implementation = item["inner"].get("impl")
        if implementation and (implementation.get("is_synthetic") or implementation.get("blanket_impl")):
            continue
        for id in paths_in(item["inner"]):
            target = doc["paths"].get(str(id))
            owner = names.get(target["crate_id"]) if target else None
            owners.add(owner)
            if owner in PRIVATE_TYPES:
                place = item.get("name") or "an implementation"
                span = item.get("span") or {}
                where = f"{span.get('filename', crate)}:{span.get('begin', [0])[0]}"
                problems.add(f"{where}: {place} shows `{'::'.join(target['path'])}` to users of {crate}")
    # The format changes with the compiler. Not to find even the standard library in it means not to have understood it.
    if not owners & {"core", "alloc", "std"}:
        problems.add(f"{crate}: rustdoc's JSON (format {doc['format_version']}) is not understood; mend scripts/layers.py")
    return sorted(problems)


def map_problems(page, rooms, functions):
    """What ARCHITECTURE.md misses or invents. `rooms`: module names by crate folder; `functions`: all function names in the tree."""
    problems = []
    sections = {part.split("`", 1)[0]: part for part in page.split("\n### `")[1:]}
    for crate, modules in rooms.items():
        words = set(re.findall(r"`([a-z_]+)`", sections.get(crate, "")))
        problems += [f"ARCHITECTURE.md: {crate} has a room `{room}` that the map does not show" for room in sorted(modules - words)]
    # A name of at least four words in code type is a test's.
    for test in re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`", page):
        if test not in functions:
            problems.append(f"ARCHITECTURE.md names a test `{test}` that is not there")
    for link in re.findall(r"\]\(([^)#:]+)\)", page):
        if not (ROOT / link).exists():
            problems.append(f"ARCHITECTURE.md links to {link}, which is not there")
    return problems


def rooms():
    """The modules at the top of each crate, without those of the tests."""
    ends = {"lib", "main", "tests", "testing"}
    for crate in sorted((ROOT / "crates").iterdir()):
        entries = {entry.stem for entry in (crate / "src").iterdir()}
        yield f"crates/{crate.name}", entries - ends


def functions():
    sources = (path for folder in ("crates", "tests") for path in (ROOT / folder).glob("**/*.rs"))
    return {name for path in sources for name in re.findall(r"fn ([a-z0-9_]+)", path.read_text())}


def main(arguments):
    if arguments == ["dependencies"]:
        problems = dependency_problems(packages(), below)
    elif arguments == ["map"]:
        problems = map_problems((ROOT / "ARCHITECTURE.md").read_text(), dict(rooms()), functions())
    elif arguments == ["signatures"]:
        problems = [problem for crate, doc in rustdoc_json() for problem in signature_problems(crate, doc)]
    else:
        sys.exit(__doc__)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"layers: {arguments[0]}: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
