"""Reports as terminal text, HTML, JSON, Markdown and JUnit."""
