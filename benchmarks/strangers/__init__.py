"""Model classes of public packages that no one here wrote: judged rightly, or not at all."""
