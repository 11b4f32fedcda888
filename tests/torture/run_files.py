"""Reads the files of a run without charnn's own code: what is wrong with one is raised as Damage."""
import json
import math
import pathlib
import struct

TIMES = ("elapsed_seconds", "seconds", "chars_per_second", "seconds_left")


class Damage(Exception):
    """A file is not as it must be; the text says which and where."""


def checkpoint(path):
    """The metadata of a safetensors file and its tensors, each its shape and bytes, by name; its sizes must add up."""
    data = pathlib.Path(path).read_bytes()
    if len(data) < 8:
        raise Damage(f"{path}: {len(data)} bytes long")
    length, = struct.unpack_from("<Q", data)
    try:
        header = json.loads(data[8:8 + length])
        metadata = header.pop("__metadata__")
        end = max(tensor["data_offsets"][1] for tensor in header.values())
    except (ValueError, KeyError, UnicodeDecodeError) as error:
        raise Damage(f"{path}: header: {error}") from None
    if len(data) != 8 + length + end:
        raise Damage(f"{path}: {len(data)} bytes long, its header says {8 + length + end}")
    tensors = {name: (tensor["shape"], data[8 + length + tensor["data_offsets"][0]:8 + length + tensor["data_offsets"][1]])
               for name, tensor in header.items()}
    return metadata, tensors


def train_state(path):
    return json.loads(checkpoint(path)[0]["train_state"])


def checkpoint_step(path):
    return train_state(path)["step"]


def metrics(path, drop=()):
    """The records of a metrics.jsonl, which must be whole lines; without the keys in `drop`."""
    text = pathlib.Path(path).read_bytes().decode()
    if text and not text.endswith("\n"):
        raise Damage(f"{path}: the last line has no end: {text.splitlines()[-1][-60:]!r}")
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise Damage(f"{path}:{number}: {error}: {line[:60]!r}") from None
        records.append({key: value for key, value in record.items() if key not in drop})
    return records


def check_metrics(records, log_every, last_step):
    """Complaints: a step missing or there twice, a loss that is no number, time that runs backwards."""
    found = []
    runs = sum(record["event"] == "run" for record in records)
    if runs != 1 or records[0]["event"] != "run":
        found.append(f"{runs} records of the run, expected one, at the beginning")
    steps = [record["step"] for record in records if record["event"] == "step"]
    expected = list(range(log_every, last_step + 1, log_every))
    if steps != expected:
        place = next((i for i, (a, b) in enumerate(zip(steps, expected)) if a != b), min(len(steps), len(expected)))
        found.append(f"{len(steps)} step records, expected {len(expected)}; the first difference is at record {place}: "
                     f"{steps[place:place + 3]} instead of {expected[place:place + 3]}")
    evals = [record["step"] for record in records if record["event"] == "eval"]
    if any(a >= b for a, b in zip(evals, evals[1:])):
        found.append("evaluations are repeated or out of order")
    for record in records:
        numbers = [record[key] for key in ("loss", "grad_norm", "lr") if key in record]
        if any(not isinstance(number, (int, float)) or not math.isfinite(number) for number in numbers):
            found.append(f"{record['event']} record of step {record['step']}: a loss, norm or rate is no finite number")
    elapsed = [record["elapsed_seconds"] for record in records if "elapsed_seconds" in record]
    falls = sum(a > b for a, b in zip(elapsed, elapsed[1:]))
    if falls:
        found.append(f"elapsed_seconds falls {falls} times")
    return found


def difference(expected, got):
    """The first difference between two lists of records, in words; None if there is none. How a run ended is left out."""
    expected, got = ([record for record in records if record["event"] != "end"] for records in (expected, got))
    for number, (a, b) in enumerate(zip(expected, got), 1):
        if a != b:
            keys = [key for key in {**a, **b} if a.get(key) != b.get(key)]
            return f"line {number} differs in {', '.join(keys)}: {[b.get(k) for k in keys]}, expected {[a.get(k) for k in keys]}"
    if len(expected) != len(got):
        return f"{len(got)} lines, expected {len(expected)}"
    return None


def _table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


TABLE = list(_table())


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ TABLE[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF


def packed_sum(data):
    value = crc32c(data)
    return struct.pack("<I", (((value >> 15 | value << 17) & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)


def events(path, may_be_cut=False):
    """The payloads of a TensorBoard file: length, its checksum, the payload, its checksum, time and again.
    `may_be_cut`: the process was killed, so the last record need not be whole."""
    data = pathlib.Path(path).read_bytes()
    payloads, at = [], 0
    while at < len(data):
        head, head_sum = data[at:at + 8], data[at + 8:at + 12]
        whole = len(head_sum) == 4
        if whole and head_sum != packed_sum(head):
            raise Damage(f"{path}: the record at byte {at} has a wrong checksum")
        length = struct.unpack("<Q", head)[0] if whole else 0
        if at + 16 + length > len(data):
            if may_be_cut:
                break
            raise Damage(f"{path}: the record at byte {at} is cut off")
        payload = data[at + 12:at + 12 + length]
        if data[at + 12 + length:at + 16 + length] != packed_sum(payload):
            raise Damage(f"{path}: the record at byte {at} has a wrong checksum")
        payloads.append(payload)
        at += 16 + length
    return payloads


def event_steps(payloads):
    """The step (protobuf field 2) of each event."""
    steps = []
    for payload in payloads:
        at, step = 0, 0
        while at < len(payload):
            key, at = varint(payload, at)
            if key >> 3 == 2:
                step, _ = varint(payload, at)
            size, at = varint(payload, at) if key & 7 in (0, 2) else (0, at)
            at += {0: 0, 1: 8, 2: size, 5: 4}[key & 7]
        steps.append(step)
    return steps


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def event_files(folder):
    return sorted(pathlib.Path(folder).glob("events.out.tfevents.*"))


def temporary_files(folder):
    return sorted(path.name for path in pathlib.Path(folder).glob("*.tmp"))


def file_number(path):
    """Another one when the file was replaced; None where there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
