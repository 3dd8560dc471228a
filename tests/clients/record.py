"""Records a patient: seven minutes of synthetic electrocardiogram and oximetry, sent as a device sends them.

Usage: record.py BASE_URL KEY PATIENT
"""

import json
import math
import sys
import time
import urllib.request
from datetime import datetime, timedelta, timezone

RATE_HZ = 250
SECONDS = 420
START = datetime(2026, 1, 18, 14, 0, tzinfo=timezone.utc)
# Waves of a beat: offset from the R peak and width in seconds, height in mV.
WAVES = [(-0.17, 0.022, 0.12), (-0.035, 0.009, -0.12), (0.0, 0.010, 1.1), (0.032, 0.010, -0.22), (0.26, 0.045, 0.28)]


def electrocardiogram():
    """Samples in mV of a heart at about 72 beats a minute."""
    samples = [0.0] * (RATE_HZ * SECONDS)
    beat = 0.4
    while beat < SECONDS - 0.5:
        for offset, width, height in WAVES:
            centre = beat + offset
            for n in range(max(0, int((centre - 5 * width) * RATE_HZ)), int((centre + 5 * width) * RATE_HZ)):
                samples[n] += height * math.exp(-0.5 * ((n / RATE_HZ - centre) / width) ** 2)
        beat += 60 / (72 + 6 * math.sin(beat / 40))
    return samples


def packets():
    samples = electrocardiogram()
    for second in range(SECONDS):
        at = (START + timedelta(seconds=second)).isoformat()
        values = [round(value, 3) for value in samples[second * RATE_HZ : (second + 1) * RATE_HZ]]
        waveform = {"signal": "ecg", "rate_hz": RATE_HZ, "unit": "mV", "lead": "II", "values": values}
        packet = {"device": "chest-1", "stream": "ecg", "sequence": second, "device_time": at, "samples": waveform}
        yield packet | ({"end_of_stream": True} if second == SECONDS - 1 else {})
        if second % 20 == 0:
            oximetry = {"signal": "spo2", "unit": "%", "values": [96 + second % 3]}
            yield {"device": "finger-1", "stream": "spo2", "sequence": second // 20, "device_time": at, "samples": oximetry}


def request(method, url, key, body=None):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
        return json.load(answer)


def main(base, key, patient):
    for device in ("chest-1", "finger-1"):
        request("PUT", f"{base}/api/v1/devices/{device}", key, {"patient": patient})
    batch = list(packets())
    for first in range(0, len(batch), 50):
        request("POST", f"{base}/ingest/raw-packet", key, batch[first : first + 50])
    deadline = time.monotonic() + 60
    while request("GET", f"{base}/api/v1/ingest/lag", key)["pending"] != 0:
        if time.monotonic() > deadline:
            sys.exit("the pipeline does not catch up")
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
