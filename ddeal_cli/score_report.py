"""What ``ddeal eval`` shows and writes in the end: tables, JSON, submissions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddeal_cli.console import emit_json, say
from ddeal_cli.tables import show_table

if TYPE_CHECKING:
    from ddeal_core.datasets import Sequence as DatasetSequence
    from ddeal_core.evaluation import DatasetScore

__all__ = ["ScoreReport"]


class ScoreReport:
    """Gathers scores by method, and shows them in the end.

    Args:
        quiet: Show nothing but what was asked for.
        json: Whether standard output is for machines.
        page: HTML page to write; where several methods are scored, one each beside it.
        several: Whether several are.
    """

    def __init__(
        self, *, quiet: bool, json: bool, page: Path | None = None, several: bool = False
    ) -> None:
        self.quiet, self.json = quiet, json
        self._page, self._several = page, several
        self.device: str | None = None
        self._scores: dict[str, DatasetScore] = {}
        self._rates: dict[str, float] = {}
        self._folders: dict[str, Path] = {}
        self._submissions: dict[str, Path] = {}

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
        """Add a method; its tables and its page are written now.

        Args:
            name: Of the method.
            score: What it reached.
            folder: For the tables.
            sequences: What it was scored on.
            masks: What it made of them.
            rate: Frames a second.
        """
        from ddeal_core.evaluation import write_tables

        write_tables(score, folder)
        if self._page is not None:
            self._write_page(name, score, sequences, masks, rate)
        self._scores[name] = score
        self._folders[name] = folder
        if rate is not None:
            self._rates[name] = rate

    def _write_page(
        self,
        name: str,
        score: "DatasetScore",
        sequences: "Sequence[DatasetSequence]",
        masks: Path,
        rate: float | None,
    ) -> None:
        from ddeal_core.evaluation.report import pictures_on_disk, write_report

        assert self._page is not None
        page = self._page.with_stem(f"{self._page.stem}-{name}") if self._several else self._page
        write_report(
            score,
            page,
            frames=pictures_on_disk(sequences, masks, foreground=score.protocol == "davis2016"),
            seconds_per_frame=1 / rate if rate else None,
            title=f"{name} on {score.image_set}",
        )
        say(f"wrote {page}", quiet=self.quiet)

    def submitted(self, name: str, path: Path) -> None:
        """Add a method that cannot be scored here; its results are packed."""
        self._submissions[name] = path

    def show(self) -> None:
        """Print the table, where the files are, and the JSON."""
        if self._submissions:
            self._show_submissions()
            return
        if not (self.quiet and self.json):
            self._show_table()
        for folder in self._folders.values():
            say(f"wrote {folder}", quiet=self.quiet)
        if self.json:
            emit_json(
                {"device": self.device, "methods": {n: self._record(n) for n in self._scores}}
            )

    def _show_submissions(self) -> None:
        paths = {name: str(path) for name, path in self._submissions.items()}
        say(
            "the annotations hold first masks only, so J, F and G can be computed on the server "
            f"alone: wrote {', '.join(paths.values())} for it",
            quiet=self.quiet,
        )
        if self.json:
            methods = {name: {"submission": path} for name, path in paths.items()}
            emit_json({"device": self.device, "methods": methods})

    def _show_table(self) -> None:
        alone = len(self._scores) == 1
        header = ["sequence"]
        for name in self._scores:
            header += [title if alone else f"{name} {title}" for title in ("J", "F", "J&F")]
        scores = list(self._scores.values())
        rows: list[list[str]] = []
        for several in zip(*(score.sequences for score in scores), strict=True):
            values = [v for s in several for v in (s.j_mean, s.f_mean, s.j_and_f)]
            rows.append([several[0].name, *_digits(values)])
        rows.append([])
        totals = [v for s in scores for v in (s.region.mean, s.contour.mean, s.j_and_f)]
        rows.append(["all objects", *_digits(totals)])
        rows += self._categories(scores)
        if self._rates:
            rates = [f"{self._rates[name]:.1f}" for name in self._scores]
            rows.append(["frames/s", *(cell for rate in rates for cell in ("", "", rate))])
        show_table(header, rows, stderr=self.json)

    def _categories(self, scores: "list[DatasetScore]") -> list[list[str]]:
        four = [score.seen_unseen for score in scores if score.seen_unseen is not None]
        if not four:
            return []
        seen = [cell for f in four for cell in (*_digits([f.j_seen, f.f_seen]), "")]
        unseen = [cell for f in four for cell in (*_digits([f.j_unseen, f.f_unseen]), "")]
        overall = [cell for f in four for cell in ("", "", *_digits([f.overall]))]
        return [["seen", *seen], ["unseen", *unseen], ["G", *overall]]

    def _record(self, name: str) -> dict[str, Any]:
        from ddeal_core.evaluation.tables import global_row, seen_unseen_row

        score = self._scores[name]
        return {
            "output": str(self._folders[name]),
            "frames_per_second": self._rates.get(name),
            "global": {**seen_unseen_row(score), **global_row(score)},
            "sequences": {
                s.name: {"J-Mean": s.j_mean, "F-Mean": s.f_mean, "J&F-Mean": s.j_and_f}
                for s in score.sequences
            },
        }


def _digits(values: Sequence[float | None]) -> list[str]:
    return ["-" if value is None else f"{value:.3f}" for value in values]
