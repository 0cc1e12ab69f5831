#!/usr/bin/env python3
"""Makes up sounds where there are no recordings, as WAV files of 16 kHz: sounds.py words|machines FOLDER [SHARE].

words      train/WORD/*.wav and test/WORD/*.wav: a second each of silence or of one of five spoken words, a buzz through
           resonances that glide (formants) with hisses and bursts, under noise; samples/words.wav: some in a row
machines   train/*.wav, test/*.wav: a fan's hum as it should be, 0.192 s each; normal/*.wav, faulty/*.wav: seconds of it,
           with a bearing that knocks, a blade that rubs, or a tone that does not belong; samples/*.wav: one of each

SHARE of the examples (1) are made.
"""
import array
import math
import pathlib
import random
import sys
import wave

RATE = 16000
# Of a second, what follows what: (what sounds, its length, first and second formant at its start and end in Hz).
WORDS = {
    "down": [("burst", 0.02, 0, 0, 3500, 3000), ("voice", 0.22, 750, 400, 1300, 900), ("nasal", 0.14, 300, 280, 1500, 1600)],
    "go": [("burst", 0.03, 0, 0, 2000, 1500), ("voice", 0.30, 500, 350, 1000, 750)],
    "no": [("nasal", 0.10, 280, 300, 1500, 1400), ("voice", 0.28, 550, 350, 1050, 750)],
    "up": [("voice", 0.18, 680, 650, 1200, 1150), ("pause", 0.08, 0, 0, 0, 0), ("burst", 0.03, 0, 0, 900, 700)],
    "yes": [("voice", 0.10, 280, 450, 2300, 2000), ("voice", 0.12, 520, 560, 1900, 1800), ("hiss", 0.18, 0, 0, 5000, 5600)],
}


def white(seed, count):
    rng = random.Random(seed)
    return [rng.uniform(-1, 1) for _ in range(count)]


HISS = white(2, 1 << 17)


def hiss(rng, count):
    """Of one noise, from somewhere on."""
    start = rng.randrange(len(HISS) - count)
    return HISS[start:start + count]


class Resonance:
    """A peak of the spectrum at a frequency that may change."""

    def __init__(self, width):
        self.radius, self.last, self.before = math.exp(-math.pi * width / RATE), 0.0, 0.0

    def through(self, samples, hertz):
        turn = 2 * math.pi * hertz / RATE
        a, b = 2 * self.radius * math.cos(turn), -self.radius * self.radius
        gain = (1 - self.radius) * math.sqrt(1 - 2 * self.radius * math.cos(2 * turn) + self.radius * self.radius)
        last, before, out = self.last, self.before, []
        for x in samples:
            last, before = gain * x + a * last + b * before, last
            out.append(last)
        self.last, self.before = last, before
        return out


def buzz(count, pitch, phase):
    """A voice's source: one falling edge a period, less sharp than a saw."""
    samples = []
    for _ in range(count):
        phase += pitch / RATE
        if phase >= 1:
            phase -= 1
        samples.append(1 - 2 * phase if phase < 0.7 else -0.4 + (phase - 0.7) * 4.6)
    return samples, phase


def part(rng, kind, count, formants, voice):
    """Samples of one sound, its formants gliding from their start to their end in steps of 5 ms."""
    first, second = Resonance(90), Resonance(600 if kind in ("hiss", "burst") else 120)
    low_start, low_end, high_start, high_end = formants
    samples, phase, step = [], 0.0, RATE // 200
    for at in range(0, count, step):
        part_done, length = at / count, min(step, count - at)
        swell = math.sin(math.pi * (part_done * 0.8 + 0.1))
        high = high_start + part_done * (high_end - high_start)
        if kind in ("hiss", "burst"):
            loud = 0.7 if kind == "hiss" else 1.4 * (1 - part_done)
            samples += [loud * 3 * x for x in second.through(hiss(rng, length), high)]
            continue
        source, phase = buzz(length, voice["pitch"] * (1.1 - 0.2 * part_done), phase)
        low = low_start + part_done * (low_end - low_start)
        a, b = first.through(source, low * voice["size"]), second.through(source, high * voice["size"])
        loud = swell * (0.5 if kind == "nasal" else 1)
        samples += [loud * (3 * x + 2 * y) for x, y in zip(a, b)]
    return samples


def word(rng, name):
    """A second: the word somewhere in it, by a voice of its own, under noise."""
    voice = {"pitch": rng.uniform(95, 210), "size": rng.uniform(0.9, 1.12)}
    pace, spoken = rng.uniform(0.85, 1.2), []
    for kind, seconds, *formants in WORDS.get(name, []):
        count = int(seconds * pace * rng.uniform(0.9, 1.1) * RATE)
        spoken += [0.0] * count if kind == "pause" else part(rng, kind, count, formants, voice)
    noise = 10 ** rng.uniform(-3, -1.6)
    samples = [noise * x for x in hiss(rng, RATE)]
    loud, start = rng.uniform(0.3, 0.8), rng.randrange(max(1, RATE - len(spoken)))
    largest = max(map(abs, spoken), default=1)
    for i, x in enumerate(spoken[:RATE]):
        samples[start + i] += loud * x / largest
    return samples


def machine(rng, count, fault=None):
    """A fan: harmonics of its turning, each swaying a little, and the rush of air."""
    turning, phase = rng.uniform(46, 52), rng.uniform(0, 1)
    loud = [0.12, 0.2, 0.08, 0.15, 0.05, 0.06, 0.03]
    loud = [a * rng.uniform(0.8, 1.2) for a in loud]
    table = [sum(a * math.sin(2 * math.pi * (k + 1) * i / 1024 + k * k) for k, a in enumerate(loud)) for i in range(1024)]
    air, rush, last = rng.uniform(0.08, 0.12), hiss(rng, count), 0.0
    samples = []
    for i in range(count):
        last = 0.6 * last + 0.4 * rush[i]
        samples.append(table[int(1024 * (phase + turning * i / RATE)) % 1024] + air * last)
    if fault == "bearing":
        ring, every = Resonance(500), RATE / (turning * 3.1)
        knocks, left = [], rng.uniform(0, every)
        for _ in range(count):
            left -= 1
            knocks.append(30.0 if left < 0 else 0.0)
            if left < 0:
                left += every
        samples = [a + 0.03 * b for a, b in zip(samples, ring.through(knocks, rng.uniform(2500, 4000)))]
    elif fault == "rub":
        rubbing = Resonance(1500).through(rush, rng.uniform(4500, 6000))
        samples = [a + 0.15 * b * max(0.0, math.sin(2 * math.pi * turning * i / RATE))
                   for i, (a, b) in enumerate(zip(samples, rubbing))]
    elif fault == "tone":
        hertz = rng.uniform(1200, 5000)
        samples = [a + 0.02 * math.sin(2 * math.pi * hertz * i / RATE) for i, a in enumerate(samples)]
    return samples


def write(file, samples):
    file.parent.mkdir(parents=True, exist_ok=True)
    levels = array.array("h", [max(-32768, min(32767, round(32768 * x))) for x in samples])
    if sys.byteorder == "big":
        levels.byteswap()
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(levels.tobytes())


def words(folder, share):
    names = ["silence", *WORDS]
    for split, count in (("train", 80), ("test", 30)):
        rng = random.Random(split)
        for name in names:
            for i in range(max(1, round(share * count))):
                write(folder / split / name / f"{i}.wav", word(rng, name))
    rng = random.Random("stream")
    spoken = ("yes", "silence", "down", "no", "go", "up")
    write(folder / "samples" / "words.wav", [x for name in spoken for x in word(rng, name)])


def machines(folder, share):
    clip = 1024 + 4 * 512
    for split, count in (("train", 1200), ("test", 300)):
        rng = random.Random(split)
        for i in range(max(1, round(share * count))):
            write(folder / split / f"{i}.wav", machine(rng, clip))
    rng = random.Random("recordings")
    for i in range(max(3, round(share * 9))):
        fault = ("bearing", "rub", "tone")[i % 3]
        write(folder / "normal" / f"{i}.wav", machine(rng, RATE))
        write(folder / "faulty" / f"{fault}{i}.wav", machine(rng, RATE, fault))
    for name, fault in (("normal", None), ("faulty", "bearing")):
        write(folder / "samples" / f"{name}.wav", machine(rng, RATE, fault))


def main(kind, folder, share="1"):
    {"words": words, "machines": machines}[kind](pathlib.Path(folder), float(share))


if __name__ == "__main__":
    main(*sys.argv[1:])
