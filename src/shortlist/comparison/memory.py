"""The peak memory of a part of a process."""

from pathlib import Path

__all__ = ["peak_memory", "reset_peak_memory"]

MEBIBYTE_IN_KIB = 1024


def reset_peak_memory() -> bool:
    """Forget the process's highest resident size so far; False where the system cannot (it takes Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_memory() -> float:
    """The highest resident size of this process since the last reset, in MiB; Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / MEBIBYTE_IN_KIB
    raise OSError("/proc/self/status has no line VmHWM; the peak memory cannot be read on this system.")
