"""A report as a person or a machine wants it. Reporters read the frozen `Report` and measure nothing."""
