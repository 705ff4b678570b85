"""Guards the shape of the code: imports point down, files stay small, heavy libraries stay inside their adapters."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "toolrouter"

# Top to bottom. A module may import from its own row and from the rows below it.
LAYERS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"daemon"},
    {"app"},
    {"server", "evaluation", "hosts", "settings_file"},
    {"retrieval", "upstream"},
    {"index", "guard"},
    {"catalog"},
    {"wire", "ports", "telemetry", "keyrings"},
    {"config"},
    {"places", "replacing"},
    {"types", "errors", "data", ""},
]
RANK = {name: depth for depth, names in enumerate(LAYERS) for name in names}
MAX_LINES = 400
HEAVY = {"torch", "sentence_transformers", "faiss", "onnxruntime", "tokenizers", "tiktoken", "mcp", "matplotlib"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.iter_child_nodes(tree) if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def name_of(path: Path) -> str:
    relative = path.relative_to(ROOT).with_suffix("")
    return ".".join(part for part in relative.parts if part != "__init__")


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_down(path: Path) -> None:
    mine = RANK[layer(name_of(path))]
    upward = [
        target
        for target in imports(path)
        if target.split(".")[0] == "toolrouter"
        and layer(target) != layer(name_of(path))
        and RANK[layer(target)] <= mine
    ]
    sideways_allowed = {("server", "settings_file"), ("hosts", "settings_file"), ("telemetry", "ports")}
    upward = [t for t in upward if (layer(name_of(path)), layer(t)) not in sideways_allowed]
    assert not upward, f"{name_of(path)} imports {upward}, which lies beside or above it"


@pytest.mark.parametrize("package", ["retrieval", "index", "evaluation"])
def test_ranking_knows_nothing_of_mcp_or_of_the_event_loop(package: str) -> None:
    for path in sorted((PACKAGE / package).rglob("*.py")):
        roots = {target.split(".")[0] for target in imports(path)}
        assert not roots & {"mcp", "anyio"}, path


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_heavy_libraries_are_imported_inside_their_adapter_only(path: Path) -> None:
    roots = {target.split(".")[0] for target in imports(path, top_level_only=True)}
    assert not roots & HEAVY, f"{name_of(path)} imports {roots & HEAVY} when it is itself imported"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{name_of(path)} has {lines} lines"


def test_the_command_line_starts_without_any_heavy_library() -> None:
    code = f"import sys, toolrouter.__main__; print(sorted(set(sys.modules) & {HEAVY | {'numpy'}!r}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=180)
    assert answer.stdout.strip() == "[]"


def test_what_a_host_starts_imports_the_standard_library_only() -> None:
    code = (
        "import sys; before = set(sys.modules); import toolrouter.__main__, toolrouter.daemon.connector; "
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)), "
        "sorted(set(sys.modules) & {'asyncio', 'pathlib', 'subprocess', 'hashlib', 'argparse', 'logging'}))"
    )
    answer = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=180)
    assert answer.stdout.strip() == "['toolrouter'] []"
