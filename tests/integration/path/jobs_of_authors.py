"""Job types whose `run` a test writes: whatever an author may write there."""

import asyncio
import decimal
import fractions
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent import futures
from datetime import timedelta
from typing import Any

import uvloop

import zerog

#: What a body may use without an import.
NAMES = (
    asyncio, decimal, fractions, itertools, multiprocessing, os, signal, subprocess, sys, tempfile,
    threading, time, futures, timedelta, uvloop,
)  # fmt: skip


class Does(zerog.Job):
    """Run a body that came as a parameter, once."""

    body: str

    class Options:
        max_errors = 1
        max_crashes = 1

    def run(self, ctx: zerog.Context) -> Any:
        made: dict[str, Any] = {**globals()}
        exec("def body(self, ctx):\n" + textwrap.indent(self.body, "    "), made)
        return made["body"](self, ctx)


class Forgotten(Does):
    """The same, and nothing is kept of it."""

    class Options:
        retain_ok_seconds = 0
        retain_failed_seconds = 0


class DoesShortly(Does):
    """The same, for a second."""

    class Options:
        timeout = 1
