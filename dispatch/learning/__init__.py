"""What past days teach: how long legs and services take, and how far such a guess may be off."""
