"""Writes record-v4.hex: the stream record that record_test.go compares with.

Run from this folder: python3 record_v4.py > record-v4.hex
It follows the table in stream.go, not the Go code, and uses the standard library alone.
"""

import struct


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


START = 1_780_000_000_000
STATE = 16 * (2 - 1) + 16 * 2  # channels padded to 16: convolution, then ssm, of one layer
NAMES = [b"", b"cpu", b"mem\xff"]

record = b"WSTR" + struct.pack("<B3x16s", 4, b"fixed lineage 16")
record += struct.pack("<qqII", START, 12345, 3, len(NAMES))
record += struct.pack("<Q3d", 12340, 0.75, 0.5, 0.125)
record += struct.pack("<5d", *[k / 8 - 0.25 for k in range(5)])
for signal in range(7):
    record += struct.pack("<Q32B", 12321 + signal, *range(signal, signal + 32))
    record += struct.pack("<128f", *[(128 - i) * 64 + 0.25 for i in range(128)])
    record += struct.pack("<Idd", 100 + signal, 0.125, 2 + signal)
for i, name in enumerate(NAMES):
    record += struct.pack("<H", len(name)) + name + struct.pack("<q", START - i)
    record += struct.pack("<dqqB", 1000 + i / 2, START + i, START - 60 * i, i % 2)
    record += struct.pack("<QQ10d", 12000 + i, 400 + i, *[(j + 1) / 16 for j in range(10)])
    record += struct.pack("<147d", *[(j + i) / 4 for j in range(147)])  # 72 pairs of foresight, 3 misses
    record += struct.pack("<QQq11d", 11000 + i, 10000 + i, START - 60 * i, *[(j + 1) / 32 for j in range(11)])
    record += struct.pack("<24d24H", *[i + h / 4 for h in range(24)], *[300 * h + i for h in range(24)])
    record += struct.pack(f"<{STATE}f", *[(j - i) / 8 for j in range(STATE)])
record += struct.pack("<I", crc32c(record))

text = record.hex()
for at in range(0, len(text), 96):
    print(text[at : at + 96])
