"""Times R-peak detectors of Python libraries, where they are installed.

Reads little-endian 32-bit floats (mV) from standard input; the argument is their rate in Hz.
Prints "name seconds" by CPU time, the better of two runs (the first may compile or load).
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import sys
import time
import warnings

warnings.filterwarnings("ignore")
data = sys.stdin.buffer.read()
try:
    import numpy
except ImportError:
    sys.exit(0)

rate = float(sys.argv[1])
signal = numpy.frombuffer(data, dtype="<f4").astype(float)


def sleepecg():
    from sleepecg import detect_heartbeats

    return lambda: detect_heartbeats(signal, rate)


def neurokit2():
    from neurokit2 import ecg_clean, ecg_findpeaks

    return lambda: ecg_findpeaks(ecg_clean(signal, sampling_rate=int(rate)), sampling_rate=int(rate))


def wfdb():
    from wfdb.processing import gqrs_detect

    return lambda: gqrs_detect(sig=signal, fs=rate)


for name, load, runs in (("Python sleepecg", sleepecg, 2), ("Python neurokit2", neurokit2, 2), ("Python wfdb gqrs", wfdb, 1)):
    try:
        detect = load()
        seconds = []
        for _ in range(runs):
            start = time.process_time()
            detect()
            seconds.append(time.process_time() - start)
        print(name, min(seconds), flush=True)
    except ImportError:
        print(f"skipped: no {name}", flush=True)
