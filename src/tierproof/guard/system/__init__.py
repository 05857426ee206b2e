"""What the guard needs of the operating system: folders, locks, processes and clocks."""
