"""Several processes at one study: started, watched, and ended together."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from shortlist.errors import TuningError
from shortlist.tuning.study import Pruning

__all__ = ["run_workers"]

# Between two looks at the workers, and how long one that is asked to end may take.
LOOK_SECONDS, END_SECONDS = 0.2, 30.0


def run_workers(folder: Path, workers: int, trials: int, pruning: Pruning, look: Callable[[], None]) -> None:
    """Let so many processes work at the folder's search until it has its trials; `look` is called meanwhile.

    Torch's threads are divided between them. Raises `TuningError` where one ends with an error; all then end.
    """
    threads = str(max(1, torch.get_num_threads() // workers))
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "POLARS_MAX_THREADS": threads}
    command = [sys.executable, "-m", "shortlist.tuning.worker", str(folder), str(trials), pruning]
    logs = [folder / f"worker-{number}.log" for number in range(1, workers + 1)]
    with _started([command] * workers, logs, environment) as processes:
        while True:
            codes = [process.poll() for process in processes]
            look()
            for code, log in zip(codes, logs, strict=True):
                if code:
                    raise TuningError(f"A worker of the search ended early: {_last_line(log)} ({log} has all of it)")
            if None not in codes:
                break
            time.sleep(LOOK_SECONDS)


@contextmanager
def _started(
    commands: list[list[str]], logs: list[Path], environment: dict[str, str]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes, each writing its errors to its log; once the block ends, however it does, they are gone, and so
    are the logs of those that ended well.

    A worker ends when its stdin does, so that none outlives this process, which may be killed. A session of its own
    keeps Ctrl-C in a terminal from it.
    """
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command, log in zip(commands, logs, strict=True):
            with log.open("wb") as errors:
                processes.append(
                    subprocess.Popen(
                        command,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL,
                        stderr=errors,
                        env=environment,
                        start_new_session=True,
                    )
                )
        yield processes
    finally:
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()
        for process, log in zip(processes, logs, strict=False):  # fewer where one could not be started
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
            process.kill()
            if process.wait() == 0:
                log.unlink()


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."
