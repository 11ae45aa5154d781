"""How near target-language text comes to English, from English labels alone."""
