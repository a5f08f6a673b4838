"""Trains the judge of hashindex on labelled pictures and writes hashindex/judge/judge.json.

    python benchmarks/train_judge.py FOLDER LABELS [FOLDER LABELS ...] [--made N] [--half 0|1] [--out FILE]

LABELS are tab-separated, as for accuracy.py: edited pictures and their originals (file, original_id, edit, expect), or
pairs of real pictures (path_a, path_b, label, note). Edits of every labelled picture are added (see `made_pairs`), so
that the judge does not depend on the edits of one collection. With --half only one half of the originals (or of the
folders, for real pairs) is used for training, and the other half for the report. Animations are left out, because the
judge compares them frame by frame. Needs scikit-learn (pip install 'hashindex[train]').
"""

import argparse
import csv
import itertools
import json
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import picture_edits
from common import half_of
from PIL import Image

from hashindex.core.messages import JUDGE_VERSION
from hashindex.core.options import Limits
from hashindex.judge import candidates, classifier, features
from hashindex.judge.planes import Frame
from hashindex.judge.trees import Trees
from hashindex.pictures import decode, pixels, signature
from hashindex.pictures.frames import small_frames

COPY, VARIANT, STRANGER = "copy", "variant", "stranger"
UNUSED_EDITS = {"mirror", "rot90", "rot180", "rot270", "screenshot"}
"""Edits that hashindex finds on request only, or that leave hardly anything of the picture."""
LARGE = 640
"""Longest side of the pictures that are edited."""
PIXELS_SIDE = 256


class Pair(NamedTuple):
    a: str
    b: str
    truth: str
    kind: str
    half: int
    weight: float = 1.0


class ScaledFrames(NamedTuple):
    """One picture at both scales, with log2 of the factor by which the picture itself is larger."""

    stored: Frame
    finer_than_stored: float
    opened: Frame
    finer_than_opened: float


class Example(NamedTuple):
    truth: str
    kind: str
    half: int
    weight: float
    stored: list[float] | None
    opened: list[float] | None
    names: str = ""


def scaled(image: Image.Image, width: int, height: int) -> ScaledFrames:
    packed = signature.unpack(signature.sign(signature.frames_of([(image, 0)]), width, height))
    stored = Frame.of(packed.shown[0], packed.mask)
    small = image.copy()
    small.thumbnail((PIXELS_SIDE, PIXELS_SIDE), Image.Resampling.BOX)
    finer = [float(np.log2(max(1.0, max(width, height) / max(one.size)))) for one in (packed.shown[0], small)]
    return ScaledFrames(stored, finer[0], Frame.of(small), finer[1])


@lru_cache(maxsize=400)
def loaded(path: str) -> ScaledFrames | None:
    """A picture at both scales; None for animations and unreadable files."""
    data = Path(path).read_bytes()
    known = decode.decode(data, Limits())
    if known.prepared is None or known.frames > 1:
        return None
    return scaled(small_frames(data, Limits(), PIXELS_SIDE)[0][0], known.width, known.height)


def example(
    a: ScaledFrames, b: ScaledFrames, truth: str, kind: str, half: int, weight: float, names: str = ""
) -> Example:
    stored = features.features(a.stored, b.stored, min(a.finer_than_stored, b.finer_than_stored))
    opened = features.features(a.opened, b.opened, min(a.finer_than_opened, b.finer_than_opened))
    rows = [None if row is None else row.tolist() for row in (stored, opened)]
    return Example(truth, kind, half, weight, rows[0], rows[1], names)


def of_pair(pair: Pair) -> Example | None:
    a, b = loaded(pair.a), loaded(pair.b)
    if a is None or b is None:
        return None
    return example(a, b, pair.truth, pair.kind, pair.half, pair.weight, f"{pair.a} {pair.b}")


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def natural_pairs(folder: Path, rows: list[dict[str, str]]) -> Iterator[Pair]:
    for row in rows:
        if row.get("how") == "sha256":
            continue
        truth, kind, weight = COPY, "same", 2.0
        if row["label"] == "different":
            kind = "recoloured" if "variant" in row["note"] else "different"
            truth = VARIANT if kind == "recoloured" else STRANGER
            weight = 6.0
        elif row["label"] == "same_template_other_caption":
            truth, kind, weight = VARIANT, "template", 6.0
        half = half_of(os.path.dirname(row["path_a"]))
        yield Pair(str(folder / row["path_a"]), str(folder / row["path_b"]), truth, kind, half, weight)


def edit_pairs(folder: Path, rows: list[dict[str, str]], rng: random.Random) -> Iterator[Pair]:
    by_original: dict[str, dict[str, str]] = defaultdict(dict)
    expect = {}
    for row in rows:
        by_original[row["original_id"]][row["edit"]] = str(folder / row["file"])
        expect[row["original_id"], row["edit"]] = row["expect"]
    for original, files in by_original.items():
        half = half_of(original)
        captions = [edit for edit in files if edit == "caption_bar" or expect[original, edit] == "template"]
        unlike = [edit for edit in captions if edit != "text_overlay"]
        good = [edit for edit in files if expect[original, edit] in ("orig", "must", "should") and edit not in captions]
        for edit in good:
            if edit != "orig" and "orig" in files:
                yield Pair(files["orig"], files[edit], COPY, expect[original, edit], half, 2.0)
        for a, b in rng.sample(list(itertools.combinations(good, 2)), min(14, len(good) * (len(good) - 1) // 2)):
            yield Pair(files[a], files[b], COPY, "edits", half)
        for a, b in itertools.combinations(captions, 2):
            if "caption_bar" not in (a, b):  # a bar may have the words of a template
                yield Pair(files[a], files[b], VARIANT, "captions", half, 4.0)
        for a in unlike:
            for b in rng.sample(good, min(len(good), 6)):
                yield Pair(files[a], files[b], VARIANT, "caption", half)
        for edit in ("text_overlay", "crop_20", "crop_one20"):
            if edit in files and edit == "text_overlay":
                for b in rng.sample(good, min(len(good), 3)):
                    yield Pair(files[edit], files[b], VARIANT, "overlay", half)


def strangers(source_of: dict[str, str], linked: set[tuple[str, str]], each: int, most: int) -> Iterator[Pair]:
    """Pairs with near keys from two sources that share no picture; at most `each` pairs of the same two sources."""
    paths = sorted(source_of)
    views = []
    for number, path in enumerate(paths):
        known = decode.decode(Path(path).read_bytes(), Limits())
        if known.prepared is not None and known.detail >= decode.DETAIL_GATE and known.frames == 1:
            views.append((number, known.prepared))
    prepared = {number: np.frombuffer(view, np.uint8).astype(float) for number, view in views}
    keys = candidates.keys_of([view for _, view in views])
    unrelated = []
    for a, b, _ in candidates.pairs([(number, key) for (number, _), key in zip(views, keys, strict=True)], more=4):
        one, other = sorted((source_of[paths[a]], source_of[paths[b]]))
        if one != other and (one, other) not in linked and np.abs(prepared[a] - prepared[b]).mean() > 4:
            unrelated.append((paths[a], paths[b]))
    rng = random.Random(2)
    rng.shuffle(unrelated)
    of_sources: Counter[tuple[str, str]] = Counter()
    shown = 0
    for first, second in unrelated:
        one, other = sorted((source_of[first], source_of[second]))
        of_sources[one, other] += 1
        if of_sources[one, other] <= each and shown < most:
            shown += 1
            yield Pair(first, second, STRANGER, "strangers", max(half_of(one), half_of(other)))


def made_pairs(job: tuple[str, str, int, int]) -> list[Example]:
    """Examples from edits of one picture: pairs of copies, and pairs of variants that were edited too.

    job: path, path of another picture, half, seed.
    """
    path, other_path, half, seed = job
    rng = random.Random(seed)
    images = []
    for name in (path, other_path):
        data = Path(name).read_bytes()
        if decode.decode(data, Limits()).frames > 1:
            return []
        image = small_frames(data, Limits(), LARGE)[0][0]
        if min(image.size) < 32:
            return []
        if image.getchannel("A").getextrema()[0] == 255 or rng.random() < 0.3:
            image = picture_edits.flat(image)
        images.append(image)
    image, other = images
    if pixels.detail_of(picture_edits.flat(image).convert("L").resize((64, 64)).tobytes()) < decode.DETAIL_GATE:
        return []
    made: list[tuple[Image.Image, Image.Image, str, str]] = [
        (image, picture_edits.copy_of(rng, image), COPY, "made copy"),
        (image, picture_edits.copy_of(rng, image), COPY, "made copy"),
        (image, picture_edits.copy_of(rng, image, 1), COPY, "made copy"),
        (picture_edits.copy_of(rng, image, 2), picture_edits.copy_of(rng, image, 2), COPY, "made copies"),
    ]
    variants = (
        ("made captions", picture_edits.captioned(rng, image), 2),
        ("made drawing", picture_edits.drawn_in(rng, image, other), 1),
        ("made colour", picture_edits.recoloured(rng, image), 1),
        ("made crop", picture_edits.larger_crop(rng, image), 1),
    )
    for kind, both, count in variants:
        if not both:
            continue
        for turn in range(count):
            if turn == 0 and rng.random() < 0.5:
                pair = tuple(picture_edits.saved(rng, one) for one in both)
            else:
                pair = tuple(picture_edits.copy_of(rng, one, 1) if rng.random() < 0.7 else one for one in both)
            made.append((*pair, VARIANT, kind))  # type: ignore[arg-type]
    return [
        example(scaled(a, *a.size), scaled(b, *b.size), truth, kind, half, 1.0, f"{path} {seed}")
        for a, b, truth, kind in made
    ]


def examples(arguments: argparse.Namespace) -> list[Example]:
    rng = random.Random(1)
    pairs: list[Pair] = []
    stills: dict[str, int] = {}
    for folder, labels in arguments.sources:
        rows = read_rows(labels)
        if "path_a" in rows[0]:
            pairs += natural_pairs(folder, rows)
            tops = {str(path): top_of(path, folder) for path in sorted(folder.rglob("*")) if path.is_file()}
            linked = set()
            for row in rows:
                if row["label"] == "same":
                    one, other = (tops[str(folder / row[column])] for column in ("path_a", "path_b"))
                    linked |= {(one, other), (other, one)}
            pairs += strangers(tops, linked, 50, 1200)
            for row in rows:
                for column in ("path_a", "path_b"):
                    stills[str(folder / row[column])] = half_of(os.path.dirname(row["path_a"]))
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    stills.setdefault(str(path), half_of(str(path.parent.relative_to(folder))))
        else:
            pairs += edit_pairs(folder, rows, rng)
            names = {str(folder / row["file"]): row["original_id"] for row in rows if row["edit"] not in UNUSED_EDITS}
            pairs += strangers(names, set(), 6, 1000)
            for row in rows:
                if row["edit"] == "orig":
                    stills[str(folder / row["file"])] = half_of(row["original_id"])
    found: list[Example] = []
    with ProcessPoolExecutor(2) as pool:
        found += [one for one in pool.map(of_pair, pairs, chunksize=64) if one is not None]
        print(f"{len(found)} labelled pairs")
        readable = [path for path, good in zip(stills, pool.map(is_picture, stills, chunksize=64), strict=True) if good]
        chosen = rng.sample(readable, min(arguments.made, len(readable)))
        jobs = [(path, rng.choice(readable), stills[path], seed) for seed, path in enumerate(chosen)]
        for made in pool.map(made_pairs, jobs, chunksize=8):
            found += made
    print(f"{len(found)} pairs with made pairs")
    return found


def top_of(path: Path, folder: Path) -> str:
    return path.relative_to(folder).parts[0]


def is_picture(path: str) -> bool:
    known = decode.decode(Path(path).read_bytes(), Limits())
    return known.prepared is not None and known.frames == 1 and known.detail >= decode.DETAIL_GATE


def trained(found: list[Example], column: str, half: int | None) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    used = [one for one in found if getattr(one, column) is not None]
    rows = np.array([getattr(one, column) for one in used], np.float32)
    model: dict[str, Any] = {}
    for question, yes in (("copy", {COPY}), ("similar", {COPY, VARIANT})):
        truth = np.array([one.truth in yes for one in used])
        asked = np.ones(len(used), bool)
        train = asked if half is None else np.array([one.half == half for one in used])
        weights = np.array([one.weight * (MADE_WEIGHT if one.kind.startswith("made") else 1) for one in used])
        trees = HistGradientBoostingClassifier(
            max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=0.12, min_samples_leaf=15, l2_regularization=1.0,
            max_features=0.5,
            early_stopping=False, random_state=1,
        )  # fmt: skip
        trees.fit(rows[train], truth[train], sample_weight=weights[train])
        model[question] = as_data(trees)
        written = Trees.of(model[question])
        score = np.array([written.probability(row) for row in rows])
        off = np.abs(score - trees.predict_proba(rows)[:, 1])
        assert np.quantile(off, 0.99) < 0.01, "the written trees give other probabilities than scikit-learn"
        report(question, column, used, score, truth, ~train if half is not None else train)
    return model


TREES, LEAVES = 100, 12
MADE_WEIGHT = 0.4
"""The weight of made pairs. Labelled pairs are closer to real collections; made pairs prevent overfitting to them."""


def as_data(model: Any) -> dict[str, Any]:
    """For each tree a list of nodes, [feature, threshold, left, right] or a value, and the initial log odds."""
    trees = []
    for (predictor,) in model._predictors:
        trees.append([
            round(float(node["value"]), 5)
            if node["is_leaf"]
            else [int(node["feature_idx"]), _short(node["num_threshold"]), int(node["left"]), int(node["right"])]
            for node in predictor.nodes
        ])  # fmt: skip
    return {"start": round(float(model._baseline_prediction.ravel()[0]), 4), "trees": trees}


def _short(threshold: float) -> float:
    """The threshold in 32 bits, as features are: many equal it exactly, and rounding would change the branch."""
    return float(np.float32(min(threshold, 1e9)))


def report(question: str, column: str, used: list[Example], score: Any, truth: Any, shown: Any) -> None:
    kinds: dict[tuple[bool, str], list[float]] = defaultdict(list)
    for one, value, yes, show in zip(used, score, truth, shown, strict=True):
        if show:
            kinds[bool(yes), one.kind].append(float(value))
    print(f"\n{question}, {column}: share at or above .1 .5 .7 .85 .95")
    for (yes, kind), values in sorted(kinds.items(), reverse=True):
        shares = " ".join(f"{np.mean(np.array(values) >= level):.4f}" for level in (0.1, 0.5, 0.7, 0.85, 0.95))
        print(f"  {'yes' if yes else 'no':4}{kind:14}{len(values):6}  {shares}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER LABELS")
    parser.add_argument("--made", type=int, default=1500, help="the number of pictures to edit [default: 1500]")
    parser.add_argument("--half", type=int, choices=(0, 1), help="train on this half and report on the other")
    parser.add_argument(
        "--keep", type=Path, help="a file to store the features of the pairs, or to read them from if it exists"
    )
    parser.add_argument("--out", type=Path, default=Path(classifier.__file__).with_name("judge.json"))
    arguments = parser.parse_args()
    if len(arguments.sources) % 2:
        parser.error("every FOLDER needs its LABELS after it")
    arguments.sources = list(zip(arguments.sources[::2], arguments.sources[1::2], strict=True))
    if arguments.keep and arguments.keep.exists():
        found = [Example(*one) for one in json.loads(arguments.keep.read_text())]
    else:
        found = examples(arguments)
        if arguments.keep:
            arguments.keep.write_text(json.dumps(found))
    judge = {"version": JUDGE_VERSION, "features": features.FEATURES}
    judge |= {column: trained(found, column, arguments.half) for column in ("stored", "opened")}
    arguments.out.write_text(json.dumps(judge, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
