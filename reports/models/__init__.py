"""The tables of this floor."""

from reports.models.findings import Finding, KnownUse, Watch, WatchedSeries

__all__ = ["Finding", "KnownUse", "Watch", "WatchedSeries"]
