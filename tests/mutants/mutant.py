"""What a mutant is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A feature that is taken out: in `file`, `old` becomes `new`."""

    name: str
    """What a user loses."""
    file: str
    old: str
    """Occurs exactly once in the file."""
    new: str
    tests: tuple[str, ...]
    """Test files, or single tests as `FILE::NAME`, of which at least one must fail."""

    def applied_to(self, text: str) -> str:
        """The file's text without the feature; raises ValueError unless `old` is in it once."""
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: the old text occurs {count} times in {self.file}")
        return text.replace(self.old, self.new)
