"""What is wrong now and should wake somebody: found by sources, damped, told."""

from swapd.alarms.alarm import Alarm, Severity, Source

__all__ = ["Alarm", "Severity", "Source"]
