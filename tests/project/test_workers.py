"""A worker with arguments has its own description: Textual makes one of their repr, of a list or a password."""

from __future__ import annotations

import ast
from pathlib import Path

import kittui


def test_no_worker_is_described_by_its_arguments() -> None:
    described, found = 0, []
    for path in Path(kittui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.AsyncFunctionDef) or len(node.args.args + node.args.kwonlyargs) < 2:
                continue
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                if ast.unparse(call.func if call else decorator) == "work":
                    given = call is not None and any(
                        each.arg == "description" and ast.literal_eval(each.value) for each in call.keywords
                    )
                    described += given
                    found += [] if given else [f"{path.name}:{node.lineno}"]
    assert not found
    assert described > 10
