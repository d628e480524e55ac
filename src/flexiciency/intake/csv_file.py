"""Lines of a CSV file as cells. UTF-8 with or without BOM; line ends of any kind, mixed too; a record is a line."""

import csv
from collections.abc import Iterator

from flexiciency.errors import FileInvalid
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.rejected import Code, Rejected

LINE_CHARACTERS = 1_000_000
_DELIMITERS = ",;\t|"


class CsvFile:
    """A CSV file with a header line; `header` has its names in lower case."""

    def __init__(self, opened: OpenedFile, delimiter: str = ",") -> None:
        self._opened = opened
        self._delimiter = delimiter
        if b"\x00" in opened.start():
            raise FileInvalid(f"{opened.path} is UTF-16 or no text. Write it in UTF-8.")
        text = opened.text()
        self._lines = enumerate(iter(lambda: text.readline(LINE_CHARACTERS), ""), start=1)
        self._line = ""
        self.header = self._read_header()

    def need(self, names: set[str]) -> None:
        """Raises FileInvalid unless the header has these names."""
        if missing := sorted(names - set(self.header)):
            found = ", ".join(self.header)[:500]
            raise FileInvalid(f"{self._opened.path}: columns {missing} are missing; the header line has {found}.")

    def place(self, name: str) -> int:
        """Where a column is in its row; -1 where there is none, behind the row that is."""
        return self.header.index(name) if name in self.header else -1

    def cell_of(self, name: str) -> str:
        """A cell of the line read last, as far as can be told: also of one that is rejected."""
        cells, place = self._line.rstrip("\r\n").split(self._delimiter), self.place(name)
        return cells[place].strip().strip('"') if place < len(cells) else ""

    def rows(self, after: int) -> Iterator[tuple[int, list[str]] | Rejected]:
        """Line and cells of each line after this one that is not blank. Raises FileInvalid, FileBroken."""
        for number, line in self._lines:
            if number > after and not line.isspace():
                self._line = line
                cells = self._cells(number, line)
                yield cells if isinstance(cells, Rejected) else (number, cells)

    def _read_header(self) -> list[str]:
        for number, line in self._lines:
            if not line.isspace():
                cells = self._cells(number, line)
                if isinstance(cells, Rejected):
                    raise FileInvalid(f"{self._opened.path}: the header, line {number}: {cells.reason}.")
                self._check_delimiter(cells)
                return [cell.strip().lower() for cell in cells]
        raise FileInvalid(f"{self._opened.path} is empty. Its first line has the names of the columns.")

    def _check_delimiter(self, header: list[str]) -> None:
        if len(header) == 1:
            for other in _DELIMITERS:
                if other in header[0]:
                    raise FileInvalid(
                        f"{self._opened.path}: the header has {other!r} between names, not {self._delimiter!r}. "
                        f"Say --delimiter '{other}', and --decimal , if the numbers have a decimal comma."
                    )

    def _cells(self, number: int, line: str) -> list[str] | Rejected:
        if len(line) >= LINE_CHARACTERS:
            raise FileInvalid(f"{self._opened.path}: line {number} has over {LINE_CHARACTERS:,} characters.")
        if not line.isascii():
            try:
                line.encode()
            except UnicodeEncodeError:
                return Rejected(number, None, Code.ENCODING_INVALID, "the line is not UTF-8")
        if '"' not in line:
            return line.rstrip("\r\n").split(self._delimiter)
        try:
            # Line by line: else a quote that is not closed would swallow the lines behind it.
            return next(
                csv.reader([line.rstrip("\r\n")], delimiter=self._delimiter, skipinitialspace=True, strict=True)
            )
        except csv.Error as error:
            return Rejected(number, None, Code.CELL_INVALID, f"quotes: {error}")
