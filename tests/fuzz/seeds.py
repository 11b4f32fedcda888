"""Writes tests/fuzz/seeds and the dictionaries anew, from what a charnn binary makes: seeds.py build/dev/charnn"""
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
TEXT = "ab\né€😀b a" * 30
TINY = ["--layers", "1", "--hidden", "1", "--embedding", "1", "--batch-size", "1", "--sequence-length", "2", "--threads", "1",
        "--set", "train.max_steps=4", "--set", "train.eval_every=2", "--set", "train.log_every=2"]
TENSORS = {"model.encoder.weight", "model.decoder.bias", "optimizer.exp_avg.decoder.bias", "state.h", "state.c"}


def put(kind, name, content):
    path = HERE / "seeds" / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def small(file):
    """The checkpoint with a few of its tensors, as bytes and in the form that checkpoint.cpp composes one from."""
    length, = struct.unpack("<Q", file[:8])
    header, data = json.loads(file[8:8 + length]), file[8 + length:]
    metadata = header.pop("__metadata__")
    kept, rest = b"", {}
    for name in sorted(TENSORS & header.keys(), key=lambda n: header[n]["data_offsets"]):
        part = data[slice(*header[name]["data_offsets"])]
        rest[name] = header[name] | {"data_offsets": [len(kept), len(kept) + len(part)]}
        kept += part
    text = compact({"__metadata__": metadata} | rest).encode()
    text += b" " * (-len(text) % 8)
    return (struct.pack("<Q", len(text)) + text + kept,
            "\n".join([metadata["vocab"], metadata["train_state"], compact(rest), ""]).encode() + kept)




def keys(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def dictionary(name, words):
    lines = sorted({'"\\"' + re.sub(r'[^ -~]|["\\]', "?", word) + '\\""\n' for word in words})
    (HERE / f"{name}.dict").write_text("# Made by seeds.py\n" + "".join(lines))


def main(charnn):
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder, "text.txt")
        text.write_text(TEXT)
        progress = {}
        for cell, tokens in (("lstm", "chars"), ("rnn", "bytes")):
            run = pathlib.Path(folder, cell)
            subprocess.run([charnn, "train", "--data", text, "--out", run, "--cell", cell, "--tokens", tokens, *TINY],
                           check=True, capture_output=True)
            file = (run / "last.safetensors").read_bytes()
            raw, composed = small(file)
            put("checkpoint", f"{cell}.safetensors", raw)
            put("checkpoint", f"{cell}.composed", composed)
            put("metrics", f"{cell}.jsonl", (run / "metrics.jsonl").read_bytes())
            config = json.loads((run / "config.json").read_text())
            config["data"]["files"] = ["text.txt"]
            put("config", f"{cell}.json", compact(config))
            put("vocabulary", cell, composed.split(b"\n")[0] + b"\nab\n\xc3\xa9")
            progress = json.loads(composed.split(b"\n")[1])
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        warning = {"event": "warning", "step": 3, "name": "overfitting", "message": "..."}
        put("metrics", "short.jsonl", "".join(compact(r) + "\n" for r in [
            {"schema_version": 1, "event": "run", "config": {}}, {"event": "step", "step": 2, "loss": 1.5, "elapsed_seconds": 1},
            {"event": "eval", "step": 2, "loss": 1.5}, warning, {"event": "step", "step": 30}]) + '{"event":"st')
    put("config", "comments.json", '{ // a comment\n "train": {"seed": 1, /* two */ "epochs": 2},\n "data": {"files": ["a", "b"]}}\n')
    put("corpus", "ascii", "To be, or not\r\nto be\n")
    put("corpus", "utf8", "aé€😀\u07ff\u0800\ud7ff\uffff\U0010ffff\0\n")
    put("corpus", "broken", b"a\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82")
    schema = json.loads(subprocess.run([charnn, "schema"], check=True, capture_output=True).stdout)["properties"]
    choices = [word for section in schema.values() for field in section["properties"].values() for word in field.get("enum", [])]
    dictionary("config", [*schema, *(key for section in schema.values() for key in section["properties"]), *choices])
    dictionary("metrics", [*(key for r in records for key in r), *(r["event"] for r in records), *warning, "warning"])
    dictionary("vocabulary", ["tokens", "symbols", "bytes", "chars"])
    dictionary("checkpoint", [*keys(progress), *TENSORS, "tokens", "symbols", "bytes", "__metadata__", "format", "checksum",
                              "vocab", "train_state", "dtype", "shape", "data_offsets", "F32", "F64", "I64", "U8"])


if __name__ == "__main__":
    main(sys.argv[1])
