"""Numbers and sentences as people read them."""

from labelplane_report.data import Cost, Interval, Proportion, ReportData, Stop

__all__ = [
    "accuracy_sentence",
    "cost_sentence",
    "count_of",
    "digits",
    "duration",
    "headline",
    "interval",
    "money",
    "percent",
    "stop_sentence",
    "words_of",
]

_SPACE = "\N{NO-BREAK SPACE}"
_EXACT_SMALL = 10.0


def digits(value: float) -> str:
    """Return a count with thousands apart; one decimal where it is not whole and under 10."""
    whole = float(value).is_integer() or abs(value) >= _EXACT_SMALL
    return f"{value:,.0f}" if whole else f"{value:,.1f}"


def count_of(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: "1 vote", "1,344 votes"."""
    return f"{digits(count)}{_SPACE}{one if count == 1 else many or f'{one}s'}"


def percent(share: float | None) -> str:
    """Return a share as percent with one decimal; all and nothing are said only of exactly all and nothing."""
    if share is None:
        return "–"
    rounded = f"{100 * share:.1f}"
    if rounded == "100.0":
        return f"100{_SPACE}%" if share >= 1 else f">{_SPACE}99.9{_SPACE}%"
    if rounded == "0.0":
        return f"0{_SPACE}%" if share <= 0 else f"<{_SPACE}0.1{_SPACE}%"
    return f"{rounded}{_SPACE}%"


def interval(bounds: Interval | None) -> str:
    """Return an interval of shares as "97.3–98.7 %"; a dash without one."""
    return "–" if bounds is None else f"{100 * bounds.low:.1f}–{100 * bounds.high:.1f}{_SPACE}%"


def money(amount: float, currency: str) -> str:
    """Return an amount with its currency: two decimals, or three figures where it is under one hundredth."""
    text = f"{amount:,.2f}" if amount == 0 or abs(amount) >= 0.01 else f"{amount:.3g}"
    return f"{text}{_SPACE}{currency}" if currency else text


def duration(seconds: float | None) -> str:
    """Return seconds in the two largest units that matter: "41 s", "6 min 10 s", "2 h 5 min"."""
    if seconds is None:
        return "–"
    if 0 < seconds < 1:
        return f"{seconds:.2g}{_SPACE}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{digits(hours)}{_SPACE}h {minutes}{_SPACE}min" if minutes else f"{digits(hours)}{_SPACE}h"
    if minutes:
        return f"{minutes}{_SPACE}min {rest}{_SPACE}s" if rest else f"{minutes}{_SPACE}min"
    return f"{rest}{_SPACE}s"


def words_of(constant: str) -> str:
    """Return a constant's words: "BudgetSpent" is "budget spent"."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in constant)
    return spaced.strip()


def headline(data: ReportData) -> str:
    """Return the report in one sentence."""
    labels, votes = count_of(data.labels.total, "label"), count_of(data.cost.votes, "vote")
    measured = _measured(data)
    if measured is not None:
        return f"{labels} from {votes}, {percent(measured.share)} right."
    return f"{labels} from {votes}; how many are right was not measured."


def accuracy_sentence(data: ReportData) -> str:
    """Return what the accuracy was measured on, and how sure it is."""
    if data.accuracy is not None:
        overall = data.accuracy.overall
        return (
            f"95{_SPACE}% interval {interval(overall.interval)}, against the truth of "
            f"{count_of(overall.total, 'item')} outside gold."
        )
    if data.audit is not None:
        return (
            f"95{_SPACE}% interval {interval(data.audit.interval)}, on {count_of(data.audit.total, 'audit gold item')}."
        )
    return (
        f"There is neither truth nor audit gold. The mean confidence is {percent(data.labels.mean_confidence)}, "
        "which is what the labels claim of themselves."
    )


def stop_sentence(stop: Stop) -> str:
    """Return why the rounds ended, as a sentence."""
    text = (stop.message or words_of(stop.reason)).strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else "Not known."


def cost_sentence(cost: Cost, labels: int) -> str:
    """Return what the labels cost in one sentence."""
    parts = [count_of(cost.votes, "vote")]
    if labels:
        parts[0] += f" ({cost.votes / labels:.2f} a label)"
    if cost.cpu_seconds:
        parts.append(f"{duration(cost.cpu_seconds)} of CPU time")
    if cost.gpu_seconds:
        parts.append(f"{duration(cost.gpu_seconds)} of GPU time")
    text = ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{text}; {money(cost.money, cost.currency)} in all." if cost.money else f"{text}."


def _measured(data: ReportData) -> Proportion | None:
    return data.accuracy.overall if data.accuracy is not None else data.audit
