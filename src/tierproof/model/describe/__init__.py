"""Works out what the model is: its kind, its traits and what each of them rests on."""
