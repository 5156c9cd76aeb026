"""Code to put before a program so that folders without write permission are so for root as well."""

# Takes from root what lets it write everywhere, which counts from the next program on: prctl(2), capabilities(7).
AS_ANYBODY = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
if os.geteuid() == 0 and "again" not in os.environ:
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0
    os.execve(sys.executable, sys.orig_argv, {**os.environ, "again": "1"})
"""
