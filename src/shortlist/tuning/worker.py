"""One worker of a search, as a process: `python -m shortlist.tuning.worker FOLDER TRIALS PRUNING`."""

import _thread
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from shortlist.errors import ShortlistError
from shortlist.tuning.sampler import SampledByPlace
from shortlist.tuning.search import Search
from shortlist.tuning.study import claim, open_study
from shortlist.tuning.trial import work

__all__ = ["main"]


def main(folder: Path, trials: int, pruning: Any) -> int:
    """Work at the folder's search until it has its trials, or until stdin ends; the exit code comes back."""
    threading.Thread(target=_interrupt_at_end_of_input, daemon=True).start()
    try:
        search = Search.in_folder(folder)
        study = open_study(folder, SampledByPlace(search.seed), pruning)
        claim(study, search.identity, folder)
        work(search, study, trials)
    except KeyboardInterrupt:
        return 0
    except (ShortlistError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _interrupt_at_end_of_input() -> None:
    """The process that started this one holds the other end of stdin, and lets it go when it ends."""
    with suppress(OSError):
        os.read(sys.stdin.fileno(), 1)  # no lock is held that the interpreter would wait for at its end
    _thread.interrupt_main()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
