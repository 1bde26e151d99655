"""What the daemon itself looks at for alarms. Each source reads; none acts."""
