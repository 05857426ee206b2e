"""What each trait of a model rests on: one file per trait, declared evidence beside measured."""
