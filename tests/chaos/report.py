"""Reports a run as a plain table: the activity, the recovery times and the violations."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.run import Outcome

SHOWN_OF_A_KIND = 10


def lines(outcome: Outcome) -> Iterator[str]:
    """The table of one run."""
    yield f"== {outcome.on}, seed {outcome.seed} =="
    yield from _counts(outcome)
    yield ""
    yield f"{'fault':<36} {'of':<34} {'began':>7} {'recovered':>10}"
    for one in sorted(outcome.fault_runs, key=lambda run: run.began_s):
        recovery = "never" if one.recovery_s is None else f"{one.recovery_s:.2f} s"
        yield f"{one.fault!s:<36} {one.target:<34} {one.began_s:>5.1f} s {recovery:>10}"
    yield ""
    settled = ", ".join(f"{what} {took:.1f} s" for what, took in outcome.settled_s.items())
    yield f"at rest after: {settled}"
    for what, times in outcome.logged.most_common():
        yield f"  instances logged {times:>5} × {what}"
    yield from _violations(outcome)


def _counts(outcome: Outcome) -> Iterator[str]:
    records = outcome.records
    answers = [answer for one in records.asked for answer in one.answers]
    refused = Counter(a["error"]["code"] for a in answers if not a["ok"])
    counts = {
        "commands": len(records.asked),
        "acknowledged": sum(answer["ok"] for answer in answers),
        **{f"refused {code}": count for code, count in refused.most_common()},
        "asked again on purpose": sum(len(one.later) for one in records.asked),
        **dict(sorted(records.counts.items())),
    }
    for what, count in counts.items():
        yield f"{what:<36} {count:>8}"


def _violations(outcome: Outcome) -> Iterator[str]:
    found = outcome.records.violations
    kinds = Counter(violation.kind for violation in found)
    yield ""
    yield f"violations: {len(found)}"
    for kind, count in kinds.most_common():
        yield f"  {kind}: {count}"
        of_kind = [violation.what for violation in found if violation.kind == kind]
        yield from (f"    {what}" for what in of_kind[:SHOWN_OF_A_KIND])
