#!/usr/bin/env python3
"""Features of a made-up sound by the published formulas of librosa and TensorFlow, as slowly and plainly as they are
written there: no transform but the sum that defines it. sound_reference.py > sound_values.hpp"""
import cmath
import math


def sound(count):
    """A chirp of triangles under noise, in integers of 16 bits: the same as in sound.cpp."""
    state, samples = 1, []
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        phase = (i * i // 16 + 40 * i) % 2000
        samples.append(12 * (abs(phase - 1000) - 500) + (state >> 20) - 2048)
    return [s / 32768 for s in samples]


def window(kind, length, periodic):
    whole = length if periodic else length - 1
    mean = {"hann": 0.5, "hamming": 0.54}.get(kind)
    if mean is None:
        return [1.0] * length
    return [mean - (1 - mean) * math.cos(2 * math.pi * i / whole) for i in range(length)]


def magnitudes(frame):
    n = len(frame)
    turns = [cmath.exp(-2j * math.pi * k / n) for k in range(n)]
    return [abs(sum(x * turns[i * k % n] for i, x in enumerate(frame) if x)) for k in range(n // 2 + 1)]


def frames_of_librosa(y, weights, transform, hop, pad):
    """librosa.stft: the window in the middle of the transform; center=True with pad, None without."""
    left = (transform - len(weights)) // 2
    whole = [0.0] * left + weights + [0.0] * (transform - len(weights) - left)
    half = transform // 2
    if pad == "reflect":
        y = y[half:0:-1] + y + y[-2:-half - 2:-1]
    elif pad == "constant":
        y = [0.0] * half + y + [0.0] * half
    return [[a * b for a, b in zip(y[t:t + transform], whole)] for t in range(0, len(y) - transform + 1, hop)]


def frames_of_tensorflow(y, weights, transform, hop):
    """tf.signal.stft with pad_end=False."""
    length = len(weights)
    return [[a * b for a, b in zip(y[t:t + length], weights)] + [0.0] * (transform - length)
            for t in range(0, len(y) - length + 1, hop)]


def htk(f):
    return 1127 * math.log1p(f / 700)


def htk_inverse(m):
    return 700 * math.expm1(m / 1127)


def slaney(f):
    return f / (200 / 3) if f < 1000 else 15 + math.log(f / 1000) / (math.log(6.4) / 27)


def slaney_inverse(m):
    return m * (200 / 3) if m < 15 else 1000 * math.exp((m - 15) * (math.log(6.4) / 27))


def matrix_of_librosa(rate, transform, bands, low, high, to_mel, from_mel, area):
    """librosa.filters.mel."""
    mels = [to_mel(low) + (to_mel(high) - to_mel(low)) * i / (bands + 1) for i in range(bands + 2)]
    f = [from_mel(m) for m in mels]
    bins = [rate * k / transform for k in range(transform // 2 + 1)]
    rows = []
    for b in range(bands):
        up = [(x - f[b]) / (f[b + 1] - f[b]) for x in bins]
        down = [(f[b + 2] - x) / (f[b + 2] - f[b + 1]) for x in bins]
        norm = 2 / (f[b + 2] - f[b]) if area else 1
        rows.append([norm * max(0, min(u, d)) for u, d in zip(up, down)])
    return rows


def matrix_of_tensorflow(rate, transform, bands, low, high):
    """tf.signal.linear_to_mel_weight_matrix."""
    edges = [htk(low) + (htk(high) - htk(low)) * i / (bands + 1) for i in range(bands + 2)]
    bins = [htk(rate * k / transform) for k in range(1, transform // 2 + 1)]
    return [[0.0] + [max(0, min((x - edges[b]) / (edges[b + 1] - edges[b]),
                                (edges[b + 2] - x) / (edges[b + 2] - edges[b + 1]))) for x in bins]
            for b in range(bands)]


def times(matrix, vector):
    return [math.fsum(a * b for a, b in zip(row, vector)) for row in matrix]


def dct(x):
    """scipy.fftpack.dct(type=2), not normalised; tf.signal.dct(type=2)."""
    n = len(x)
    return [2 * math.fsum(v * math.cos(math.pi * k * (2 * m + 1) / (2 * n)) for m, v in enumerate(x)) for k in range(n)]


def orthonormal(x):
    n = len(x)
    return [v * math.sqrt(1 / ((4 if k == 0 else 2) * n)) for k, v in enumerate(dct(x))]


def of_tensorflow(x):
    """tf.signal.mfccs_from_log_mel_spectrograms."""
    return [v / math.sqrt(2 * len(x)) for v in dct(x)]


def mlperf_tiny_kws():
    y = sound(16000)
    y = [v / max(y) for v in y]
    matrix = matrix_of_tensorflow(16000, 512, 40, 20, 4000)
    return [of_tensorflow([math.log(v + 1e-6) for v in times(matrix, magnitudes(frame))])[:10]
            for frame in frames_of_tensorflow(y, window("hann", 480, True), 512, 320)]


def mlperf_tiny_ad():
    matrix = matrix_of_librosa(16000, 1024, 128, 0, 8000, slaney, slaney_inverse, True)
    return [[10 * math.log10(v + 2.220446049250313e-16) for v in times(matrix, [a * a for a in magnitudes(frame)])]
            for frame in frames_of_librosa(sound(3072), window("hann", 1024, True), 1024, 512, None)]


def librosa_mfcc():
    """librosa.feature.mfcc of half a kilohertz's loudness with top_db 30."""
    matrix = matrix_of_librosa(8000, 256, 20, 0, 4000, slaney, slaney_inverse, True)
    y = [v if i < 500 else v / 8192 for i, v in enumerate(sound(900))]
    bands = [times(matrix, [a * a for a in magnitudes(frame)])
             for frame in frames_of_librosa(y, window("hann", 200, True), 256, 128, "reflect")]
    decibels = [[10 * math.log10(max(v, 1e-10)) for v in row] for row in bands]
    least = max(map(max, decibels)) - 30
    return [orthonormal([max(v, least) for v in row])[:8] for row in decibels]


def librosa_htk():
    """Magnitudes through a symmetric Hamming window, the natural logarithm of what is at least 0.01."""
    matrix = matrix_of_librosa(8000, 256, 12, 100, 3500, htk, htk_inverse, False)
    return [[math.log(max(v, 0.01)) for v in times(matrix, magnitudes(frame))]
            for frame in frames_of_librosa(sound(500), window("hamming", 199, False), 256, 100, "constant")]


def tensorflow_log_mel():
    """As YAMNet's, without a window, times 0.5 plus 1.5."""
    matrix = matrix_of_tensorflow(16000, 512, 64, 125, 7500)
    return [[0.5 * math.log(v + 0.001) + 1.5 for v in times(matrix, magnitudes(frame))]
            for frame in frames_of_tensorflow(sound(700), window("rectangular", 400, True), 512, 160)]


def powers():
    """Mel bands of powers, no logarithm, all coefficients."""
    matrix = matrix_of_tensorflow(8000, 64, 6, 0, 4000)
    return [of_tensorflow(times(matrix, [a * a for a in magnitudes(frame)]))
            for frame in frames_of_tensorflow(sound(130), window("hann", 64, True), 64, 33)]


def main():
    print("#pragma once\n// Made by sound_reference.py.\n\nnamespace {\n\n// clang-format off")
    for case in (mlperf_tiny_kws, mlperf_tiny_ad, librosa_mfcc, librosa_htk, tensorflow_log_mel, powers):
        rows = case()
        print(f"const std::vector<double> {case.__name__}{{  // {len(rows)} x {len(rows[0])}")
        for row in rows:
            for i in range(0, len(row), 8):
                print("    " + " ".join(f"{v:.9g}," for v in row[i:i + 8]))
        print("};")
    print("// clang-format on\n\n}  // namespace")


if __name__ == "__main__":
    main()
