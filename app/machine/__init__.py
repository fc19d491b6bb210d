"""Everything on one machine: embedded servers, migrations, checks, tokens, the demo."""
