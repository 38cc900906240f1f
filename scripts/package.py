#!/usr/bin/env python3
"""Packs every crate that is published and looks at what is inside.

Nothing is uploaded, and the packed sources are not compiled again: what a crate needs at compile time must lie in its own folder, which
is checked here instead. `package.py --verify` compiles them as well (a build of everything).
"""

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Text for people that every package carries, and the manifest's own.
REQUIRED = {"Cargo.toml", "LICENSE", "README.md"}
FIELDS = ["description", "license", "readme", "repository", "rust_version", "keywords", "categories"]
EXPECTED = re.compile(r"Cargo\.(toml|toml\.orig|lock)|LICENSE|README\.md|\.cargo_vcs_info\.json|(src|tests|examples|benches)/.+\.(rs|json|yaml|toml|txt|md)")
OUTSIDE = re.compile(r"""include(?:_str|_bytes)?!\(\s*(?:concat!\([^)]*?)?"([^"]+)\"""")
LARGEST = 512 * 1024
# A front page says what the crate owns and must not do: less than this is a title.
SHORTEST_README = 500


def cargo(*args):
    done = subprocess.run(["cargo", *args], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"package: cargo {args[0]} failed")
    return done.stdout


def included_from_outside(folder):
    """Files that a crate includes at compile time from beyond its own folder: they would be missing from the package."""
    for source in sorted(folder.glob("src/**/*.rs")):
        for path in OUTSIDE.findall(source.read_text()):
            target = (folder if path.startswith("/") else source.parent).joinpath(path.lstrip("/")).resolve()
            if folder not in target.parents:
                yield f"{source.relative_to(ROOT)} includes {path}, which is outside the crate"


def contents_problems(name, archive):
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if not member.isdir()]
    files = {member.name.split("/", 1)[1]: member for member in members}
    for missing in sorted(REQUIRED - files.keys()):
        yield f"{name}: the package has no {missing}"
    for file, member in sorted(files.items()):
        if not EXPECTED.fullmatch(file):
            yield f"{name}: the package holds {file}; exclude it in the manifest, or expect it in scripts/package.py"
        if not member.isreg():
            yield f"{name}: {file} is a link in the package"
        if member.size > LARGEST:
            yield f"{name}: {file} has {member.size} bytes"
    if "README.md" in files and files["README.md"].size < SHORTEST_README:
        yield f"{name}: its README.md has {files['README.md'].size} bytes; it is the crate's front page"
    if "LICENSE" in files and files["LICENSE"].size != (ROOT / "LICENSE").stat().st_size:
        yield f"{name}: its LICENSE is not the workspace's"


def main(arguments):
    if arguments not in ([], ["--verify"]):
        sys.exit(__doc__)
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--no-deps", "--locked"))
    published = [package for package in metadata["packages"] if package["publish"] != []]
    kept_back = [package["name"] for package in metadata["packages"] if package["publish"] == []]
    problems = []
    for package in published:
        problems += [f"{package['name']}: no {field} in the manifest" for field in FIELDS if not package.get(field)]
        problems += included_from_outside(Path(package["manifest_path"]).parent)
    # Uncommitted files are fine here; a package for the registry is made from a clean checkout.
    command = ["package", "--workspace", "--locked", "--allow-dirty", "--quiet"]
    command += [word for name in kept_back for word in ("--exclude", name)]
    cargo(*command, *([] if arguments else ["--no-verify"]))
    for package in published:
        name, version = package["name"], package["version"]
        archive = Path(metadata["target_directory"]) / "package" / f"{name}-{version}.crate"
        problems += contents_problems(name, archive)
        print(f"{name} {version}: {archive.stat().st_size // 1024} KiB")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"package: {len(published)} packages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
