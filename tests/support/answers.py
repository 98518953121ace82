"""A child process that evaluates what it is asked, for tests of how children are started."""

from __future__ import annotations

from typing import Any

from qehost.processes import spawn

__all__ = ["ANSWERS", "Answers"]

# The module of the child: answers each question, until the pipe is closed.
ANSWERS = """
import multiprocessing, os, signal, sys, threading

def main(about, pipe):
    try:
        while True:
            pipe.send(eval(pipe.recv()))
    except EOFError:
        sys.exit(7)
"""


class Answers:
    """A child that evaluates what it is asked."""

    def __init__(self, about: object = None, name: str = "answers", **options: Any) -> None:
        self.process = spawn.start(name, "child_that_answers", [about], **options)

    def __call__(self, question: str) -> Any:
        self.process.pipe.send(question)
        return self.process.pipe.recv()

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.close()
