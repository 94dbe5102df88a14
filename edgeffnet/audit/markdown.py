"""summary.md: an audit in few lines, fit for a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SHOWN = 5
_WORDS = {True: "PASS", False: "FAIL", None: "NO VERDICT"}


def summary(report: Mapping[str, Any]) -> str:
    """The Markdown of an audit's report (`Audit.to_dict`)."""
    models, verdict = report["models"], report["verdict"]
    names = [Path(models[role]["file"]).name for role in ("int8", "reference")]
    parts = [
        f"### int8 audit: {_escaped(names[0])} against {_escaped(names[1])}",
        f"**{_word(verdict)}**: {_escaped(verdict['said'])}",
        _figures(report),
        _findings(report["findings"]),
        _layers(report["layers"]),
        _classes(report["per_class"]),
        _worst(report["worst_images"]),
        _obtained(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _word(verdict: Mapping[str, Any]) -> str:
    if verdict["passed"] is None and verdict["gates"]:
        return "CANNOT TELL"
    return _WORDS[verdict["passed"]]


def _figures(report: Mapping[str, Any]) -> str:
    found, error = report["accuracy"], report["output_error"]
    rows = []
    for name, key in (("top-1", "top1"), ("top-5", "top5")):
        both = [found[role][key] for role in ("reference", "int8")]
        beside = _drop(found["drop"]) if key == "top1" else ""
        if all(both):
            rows.append((name, *(_share(one) for one in both), beside))
    if found["relative"]:
        one = found["relative"]
        rows.append(
            ("relative to the reference", "", f"{one['value']:.4f} ({one['low']:.4f} to {one['high']:.4f})", "")
        )
    rows.append(("agreement", "", _share(found["agreement"]), ""))
    if found["flips"]:
        flips = found["flips"]
        told = f"{flips['worse']} worse, {flips['better']} better (McNemar p = {flips['mcnemar_p']:.2g})"
        rows.append(("flips", "", told, ""))
    calibration = found["calibration_error"]
    if calibration["int8"] is not None:
        rows.append(("calibration error", f"{calibration['reference']:.4f}", f"{calibration['int8']:.4f}", ""))
    noise = "equal" if error["snr_db"] is None else f"{error['snr_db']:.1f} dB"
    told = f"{noise}, largest {error['largest']:.3f}, KL {error['kl']:.2g} nats"
    rows.append(("error of the output", "", told, ""))
    return _table(("", "reference", "int8", "drop (points)"), rows)


def _share(found: Mapping[str, float]) -> str:
    return f"{found['value']:.2%} ({found['low']:.2%} to {found['high']:.2%})"


def _drop(found: Mapping[str, float] | None) -> str:
    return "" if found is None else f"{found['value']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f})"


def _findings(found: list[Mapping[str, Any]]) -> str:
    lines = [f"- **{one['severity']}** `{one['name']}`: {_escaped(one['said'])}" for one in found]
    return "\n".join(lines)


def _layers(layers: list[Mapping[str, Any]]) -> str:
    known = sorted((one for one in layers if one["snr_db"] is not None), key=lambda one: one["snr_db"])
    if not known:
        return ""
    told = ", ".join(f"`{one['name']}` {one['snr_db']:.1f} dB" for one in known[:_SHOWN])
    return f"Noisiest layers: {told}."


def _classes(classes: list[Mapping[str, Any]]) -> str:
    lost = sorted(
        (one for one in classes if one["p_adjusted"] < 0.05 and one["drop"] > 0), key=lambda one: -one["drop"]
    )
    if not lost:
        return ""
    told = ", ".join(
        f"{_escaped(one['label'])} {one['drop']:.1f} points of {one['images']} images (p = {one['p_adjusted']:.2g})"
        for one in lost[:_SHOWN]
    )
    return f"Classes that lost, corrected for {len(classes)} classes: {told}."


def _worst(images: list[Mapping[str, Any]]) -> str:
    if not images:
        return ""
    rows = [
        (
            _escaped(one["file"]),
            _escaped(one["label"] or ""),
            *(f"{_escaped(one[role]['label'])} {one[role]['probability']:.2f}" for role in ("reference", "int8")),
        )
        for one in images[:_SHOWN]
    ]
    table = _table(("image", "class", "reference", "int8"), rows)
    return f"<details><summary>Worst images</summary>\n\n{table}\n\n</details>"


def _obtained(report: Mapping[str, Any]) -> str:
    images, machine = report["images"], report["machine"]
    int8 = report["models"]["int8"]
    lines = [
        f"{images['count']:,} images of {_escaped(images['source'])} (sha256 `{images['sha256'][:16]}`), "
        f"intervals are 95%; int8 sha256 `{int8['sha256'][:16]}`, in {_escaped(int8['runtime'] or int8['format'])} on "
        f"{_escaped(machine['cpu'])}.",
        *(f"- {_escaped(note)}" for note in report["notes"]),
    ]
    return "\n".join(lines)


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headings, tuple("--" for _ in headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """`text` as one line that Markdown shows as it is."""
    plain = " ".join(str(text).split())
    for character in "\\`*_[]<>|#":
        plain = plain.replace(character, f"\\{character}")
    return plain
