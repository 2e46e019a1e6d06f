"""What ``ddeal eval`` shows and writes in the end: tables, JSON, submissions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ddeal_cli.console import emit_json, say
from ddeal_cli.tables import show_table

if TYPE_CHECKING:
    from ddeal_core.datasets import DatasetSequence
    from ddeal_core.evaluation import DatasetScore


Comparison = Literal["none", "methods", "ablation"]
"""One thing is scored; or several methods; or the lines of the paper's Table V."""

LINES = tuple(f"line-{number}" for number in range(1, 6))
"""Names of the lines of Table V."""


def line_of(name: str) -> int:
    """Return the number of a line of Table V."""
    return int(name.removeprefix("line-"))


class ScoreReport:
    """Gathers scores by method, and shows them in the end.

    Where several things are scored, `page` compares them, and each has a page beside it.
    """

    def __init__(self, *, quiet: bool, json: bool, page: Path | None, compares: Comparison) -> None:
        self.quiet, self.json = quiet, json
        self._page, self._compares = page, compares
        self.device: str | None = None
        self._scores: dict[str, DatasetScore] = {}
        self._rates: dict[str, float] = {}
        self._folders: dict[str, Path] = {}
        self._submissions: dict[str, str] = {}

    def add(
        self,
        name: str,
        score: "DatasetScore",
        folder: Path,
        *,
        sequences: "Sequence[DatasetSequence]",
        masks: Path,
        rate: float | None = None,
    ) -> None:
        """Add a method's score, masks and frames a second; its tables and page are written now."""
        from ddeal_core.evaluation import write_tables

        write_tables(score, folder)
        if self._page is not None:
            from ddeal_core.evaluation.report import pictures_on_disk, write_report

            page = self._own_page(name, self._page)
            binary = score.rules.objects == "foreground"
            write_report(
                score,
                page,
                frames=pictures_on_disk(sequences, masks, foreground=binary),
                seconds_per_frame=1 / rate if rate else None,
                title=f"{name} on {score.image_set}",
            )
            say(f"wrote {page}", quiet=self.quiet)
        self._scores[name] = score
        self._folders[name] = folder
        if rate is not None:
            self._rates[name] = rate

    def _own_page(self, name: str, page: Path) -> Path:
        return page if self._compares == "none" else page.with_stem(f"{page.stem}-{name}")

    def submit(self, name: str, path: Path) -> None:
        """Add a method that cannot be scored here; its results are packed."""
        self._submissions[name] = str(path)

    def show(self, folder: Path) -> None:
        """Print the table and the JSON; write what compares several scores into a folder."""
        if self._submissions:
            paths = ", ".join(self._submissions.values())
            say(
                "the annotations hold first masks only, so J, F and G can be computed on the "
                f"server alone: wrote {paths} for it",
                quiet=self.quiet,
            )
            if self.json:
                methods = {name: {"submission": path} for name, path in self._submissions.items()}
                emit_json({"device": self.device, "methods": methods})
            return
        by_line = (
            {line_of(n): s for n, s in self._scores.items()}
            if self._compares == "ablation"
            else None
        )
        record: dict[str, Any] = {
            "device": self.device,
            "methods": {name: self._record(name) for name in self._scores},
        }
        if by_line is not None:
            from ddeal_core.evaluation.ablation import (
                ablation_lines,
                ablation_record,
                write_ablation,
            )

            write_ablation(by_line, folder)
            record["ablation"] = [ablation_record(line) for line in ablation_lines(by_line)]
        if self._page is not None and self._compares != "none":
            from ddeal_core.evaluation.report import write_comparison

            write_comparison(
                self._scores,
                self._page,
                pages={name: self._own_page(name, self._page).name for name in self._scores},
                rates=self._rates,
                table_v=by_line,
            )
            say(f"wrote {self._page}", quiet=self.quiet)
        if not (self.quiet and self.json):
            if by_line is not None:
                self._show_ablation(by_line)
            else:
                self._show_scores()
        for place in self._folders.values() if by_line is None else (folder,):
            say(f"wrote {place}", quiet=self.quiet)
        if self.json:
            emit_json(record)

    def _show_ablation(self, by_line: "dict[int, DatasetScore]") -> None:
        """Table V: the measured lines beside the paper's, in percent as there."""
        from ddeal_core.evaluation.ablation import ablation_lines, paper_setting

        lines = ablation_lines(by_line)
        names = [name.removesuffix("-Mean").replace("-", " ") for name in lines[0].measured]
        header = ["line", "GDMM", "BC", "SC", *names, "drop", "frames/s"]
        header += [f"paper {name}" for name in (names[-1], "drop")]
        rows = []
        for line, rate in zip(lines, self._rates.values(), strict=True):
            switches = (line.ablation.matching, line.ablation.base, line.ablation.supplementary)
            rows.append(
                [
                    str(line.line),
                    *("x" if on else "-" for on in switches),
                    *map(_percent, line.measured.values()),
                    _percent(line.drop),
                    f"{rate:.1f}",
                    _percent(tuple(line.paper.values())[-1]),
                    _percent(line.paper_drop),
                ]
            )
        show_table(header, rows, stderr=self.json)
        protocol = next(iter(self._scores.values())).protocol
        say(f"percent; drop: below line 1; paper: {paper_setting(protocol)}", quiet=self.quiet)

    def _show_scores(self) -> None:
        alone = len(self._scores) == 1
        header = ["sequence"]
        for name in self._scores:
            header += [title if alone else f"{name} {title}" for title in ("J", "F", "J&F")]
        scores = list(self._scores.values())
        rows: list[list[str]] = []
        for several in zip(*(score.sequences for score in scores), strict=True):
            values = [v for s in several for v in (s.j_mean, s.f_mean, s.j_and_f)]
            rows.append([several[0].name, *_digits(values)])
        totals = [v for s in scores for v in (s.region.mean, s.contour.mean, s.j_and_f)]
        rows += [[], ["all objects", *_digits(totals)]]
        grouped = [score.by_group for score in scores]
        for group in scores[0].rules.groups:
            pairs = [_digits([g[f"J-{group}"], g[f"F-{group}"]]) for g in grouped]
            rows.append([group.lower(), *(cell for pair in pairs for cell in (*pair, ""))])
        if grouped[0]:
            rows.append(["G", *(cell for g in grouped for cell in ("", "", *_digits([g["G"]])))])
        if self._rates:
            rates = [f"{self._rates[name]:.1f}" for name in self._scores]
            rows.append(["frames/s", *(cell for rate in rates for cell in ("", "", rate))])
        show_table(header, rows, stderr=self.json)

    def _record(self, name: str) -> dict[str, Any]:
        from ddeal_core.evaluation.tables import global_row

        score = self._scores[name]
        return {
            "output": str(self._folders[name]),
            "frames_per_second": self._rates.get(name),
            "global": global_row(score),
            "sequences": {
                s.name: {"J-Mean": s.j_mean, "F-Mean": s.f_mean, "J&F-Mean": s.j_and_f}
                for s in score.sequences
            },
        }


def _digits(values: Sequence[float | None]) -> list[str]:
    return ["-" if value is None else f"{value:.3f}" for value in values]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:z.1f}"
